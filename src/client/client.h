#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "client/query.h"
#include "http/client.h"
#include "spec/docker/container.h"
#include "spec/docker/exec.h"
#include "spec/docker/image.h"
#include "spec/docker/manifest_list.h"
#include "spec/docker/network.h"
#include "spec/docker/registry.h"
#include "spec/docker/system.h"
#include "spec/docker/volume.h"
#include "spec/reference.h"

namespace skiff::client {

namespace docker = spec::docker;

/// An answer that arrives over time: logs, events, statistics, build output, archives.
class Stream {
 public:
  Stream(std::unique_ptr<http::Client> connection, http::ClientResponse response)
      : connection_(std::move(connection)), response_(std::move(response)) {}

  const http::Fields& fields() const { return response_.fields; }
  /// At most `size` bytes; 0 is the end.
  Result<std::size_t> read(char* buffer, std::size_t size) { return response_.read(buffer, size); }
  Result<std::string> read_all() { return response_.read_all(); }
  /// The socket, to shut it down from a signal's point of view; it stays ours.
  int socket() const { return response_.socket(); }
  /// The next JSON text of a stream of them; nothing at its end.
  Result<std::optional<json::Value>> next_json();
  /// Puts bytes that were read before in front of the rest.
  void put_back(std::string bytes) { pending_ = std::move(bytes) + pending_; }

 private:
  std::unique_ptr<http::Client> connection_;
  http::ClientResponse response_;
  std::string pending_;
  std::size_t scanned_ = 0;
};

/// A connection that was taken over from HTTP.
struct Hijacked {
  sys::Fd socket;
  std::string received;     ///< bytes that came along with the answer's head
  bool multiplexed = true;  ///< Docker's eight byte frames; else raw terminal output
};

struct AttachOptions {
  bool stdin_stream = false;
  bool stdout_stream = false;
  bool stderr_stream = false;
  bool logs = false;
  std::string detach_keys;
};

struct LogOptions {
  bool follow = false;
  bool timestamps = false;
  bool details = false;
  std::string since;
  std::string until;
  std::string tail = "all";
};

struct RemoveOptions {
  bool force = false;
  bool volumes = false;
  bool link = false;
};

/// The Engine API as functions. Blocking; one request at a time, except that streams and hijacked connections
/// live beside it. Errors of the engine come back as "Error response from daemon: ..." with the kind of their
/// status. The API version is assumed; only an engine that refuses it is asked which one it speaks.
class Client {
 public:
  /// `version` is the API version to speak, "1.51"; `fixed` forbids any other (DOCKER_API_VERSION).
  Client(http::Address address, std::string version, bool fixed);

  const http::Address& address() const { return address_; }
  const std::string& version() const { return version_; }

  // System (system.cpp)
  Result<http::Fields> ping();
  Result<json::Value> version_info();
  Result<json::Value> info();
  Result<docker::DiskUsage> disk_usage();
  Result<Stream> events(std::string_view since, std::string_view until, const Filters& filters);
  /// Our own endpoint: checks, and with `repair` mends, what the engine keeps; progress lines, the last of
  /// which is the report. `auths` is the X-Registry-Config header.
  Result<Stream> fsck(bool repair, const std::string& auths);
  /// Build cache; returns the bytes freed.
  Result<docker::BuildPruneReport> prune_build_cache(const Filters& filters, bool all);

  // Containers (containers.cpp)
  Result<std::vector<docker::ContainerSummary>> containers(bool all, int limit, bool size,
                                                           const Filters& filters);
  Result<docker::ContainerCreated> create_container(const docker::ContainerCreate& request,
                                                    std::string_view name, std::string_view platform);
  Result<json::Value> inspect_container(std::string_view id, bool size = false);
  Result<void> start_container(std::string_view id, std::string_view detach_keys = {});
  Result<void> stop_container(std::string_view id, std::string_view signal,
                              std::optional<std::int64_t> timeout);
  Result<void> restart_container(std::string_view id, std::string_view signal,
                                 std::optional<std::int64_t> timeout);
  Result<void> kill_container(std::string_view id, std::string_view signal);
  Result<void> pause_container(std::string_view id);
  Result<void> unpause_container(std::string_view id);
  Result<void> rename_container(std::string_view id, std::string_view name);
  Result<void> remove_container(std::string_view id, const RemoveOptions& options);
  Result<void> resize_container(std::string_view id, int rows, int columns);
  Result<std::vector<std::string>> update_container(std::string_view id,
                                                    const docker::ContainerUpdate& request);
  Result<docker::TopResponse> top(std::string_view id, const std::vector<std::string>& ps_arguments);
  Result<std::vector<docker::FileChange>> changes(std::string_view id);
  Result<Stream> logs(std::string_view id, const LogOptions& options);
  Result<Stream> stats(std::string_view id, bool stream, bool one_shot = false);
  Result<Hijacked> attach(std::string_view id, const AttachOptions& options);
  /// The answer's head is here when this returns, so the engine has taken note; the body comes at the end.
  Result<Stream> wait(std::string_view id, std::string_view condition);
  Result<docker::PathStat> stat_path(std::string_view id, std::string_view path);
  Result<Stream> copy_from(std::string_view id, std::string_view path);
  Result<Stream> export_container(std::string_view id);
  Result<void> copy_to(std::string_view id, std::string_view path, bool copy_owner, http::BodySource tar);
  Result<docker::ContainerPruneReport> prune_containers(const Filters& filters);

  // Exec (containers.cpp)
  Result<std::string> create_exec(std::string_view id, const docker::ExecCreate& request);
  Result<void> start_exec_detached(std::string_view exec_id);
  Result<Hijacked> start_exec(std::string_view exec_id, const docker::ExecStart& request);
  Result<docker::ExecInspect> inspect_exec(std::string_view exec_id);
  Result<void> resize_exec(std::string_view exec_id, int rows, int columns);

  // Images (images.cpp)
  Result<std::vector<docker::ImageSummary>> images(bool all, bool digests, const Filters& filters);
  Result<json::Value> inspect_image(std::string_view name, std::string_view platform = {});
  /// `platform` is JSON, or "".
  Result<std::vector<docker::ImageHistoryItem>> image_history(std::string_view name,
                                                              std::string_view platform = {});
  Result<void> tag_image(std::string_view source, std::string_view repository, std::string_view tag);
  /// Our own endpoint: whether prune and the image budget leave the image alone.
  Result<void> pin_image(std::string_view name, bool pinned);
  /// `platforms` are JSON.
  Result<std::vector<docker::ImageDeleteItem>> remove_image(std::string_view name, bool force, bool prune,
                                                            const std::vector<std::string>& platforms = {});
  Result<docker::ImagePruneReport> prune_images(const Filters& filters);
  /// Progress lines of a pull; all tags without tag and digest. `auth` is the X-Registry-Auth header. `lazy`
  /// is understood by our engine: layers that can be are served while they come.
  Result<Stream> pull(const spec::Reference& reference, std::string_view platform, const std::string& auth,
                      bool lazy = false);
  /// Progress lines of a push; `platform` is JSON, `compression` "gzip", "zstd" or "".
  Result<Stream> push(const spec::Reference& reference, std::string_view platform,
                      std::string_view compression, const std::string& auth);
  /// `limit` 0 is the engine's own.
  Result<std::vector<docker::SearchResult>> search(std::string_view term, std::int64_t limit,
                                                   const Filters& filters, const std::string& auth);
  /// Our own endpoints for manifests in registries; `insecure` allows any certificate, and plain http.
  Result<docker::ManifestRecord> remote_manifest(const spec::Reference& reference, bool insecure,
                                                 const std::string& auth);
  Result<std::string> put_manifest(const spec::Reference& reference, const docker::ManifestUpload& upload,
                                   bool insecure, const std::string& auth);
  Result<void> mount_blob(const spec::Reference& target, std::string_view from, std::string_view digest,
                          bool insecure, const std::string& auth);
  Result<docker::AuthAnswer> login(const docker::AuthConfig& config);
  /// `parameters` is the query of POST /build; the context is a tar. `auths` is the X-Registry-Config header.
  Result<Stream> build(const Query& parameters, const std::string& auths, http::BodySource context);
  /// A tar of images. `platform` is JSON, or "".
  Result<Stream> save_images(const std::vector<std::string>& names, std::string_view platform);
  /// Our own endpoints for copies between engines: those of `diff_ids` that the engine has, and a tar of
  /// images without some layers. NotFound from an engine that is none of ours.
  Result<std::vector<std::string>> known_layers(const std::vector<std::string>& diff_ids);
  Result<Stream> save_images_without(const docker::SaveRequest& request);
  /// Progress lines of a load: first to `early`, while the archive is being sent, then in the stream.
  using OnLine = std::function<Result<void>(json::Value line)>;
  Result<Stream> load_images(http::LongBody tar, bool quiet, std::string_view platform,
                             const OnLine& early = {});
  /// `parameters` is the query of POST /images/create; progress lines, the last of which is the image's id.
  Result<Stream> import_image(const Query& parameters, http::LongBody tar);
  /// `parameters` is the query of POST /commit. The image's id.
  Result<std::string> commit_container(const Query& parameters);
  /// Our own endpoint: makes a base image from a package mirror; progress lines.
  Result<Stream> bootstrap(const Query& parameters);

  // Networks and volumes (networks.cpp)
  Result<std::vector<docker::NetworkInspect>> networks(const Filters& filters);
  Result<json::Value> inspect_network(std::string_view name, bool verbose = false);
  Result<docker::NetworkCreated> create_network(const docker::NetworkCreate& request);
  Result<void> remove_network(std::string_view name);
  Result<void> connect_network(std::string_view name, const docker::NetworkConnect& request);
  Result<void> disconnect_network(std::string_view name, const docker::NetworkDisconnect& request);
  Result<docker::NetworkPruneReport> prune_networks(const Filters& filters);
  Result<docker::VolumeList> volumes(const Filters& filters);
  Result<json::Value> inspect_volume(std::string_view name);
  Result<docker::Volume> create_volume(const docker::VolumeCreate& request);
  Result<void> remove_volume(std::string_view name, bool force);
  Result<docker::VolumePruneReport> prune_volumes(const Filters& filters);

 private:
  Result<std::string> call(std::string_view method, const std::string& target, std::string body = {});
  Result<json::Value> call_json(std::string_view method, const std::string& target, std::string body = {});
  template <json::Described T>
  Result<T> call_as(std::string_view method, const std::string& target, std::string body = {});
  template <json::Described T>
  Result<std::vector<T>> call_list(std::string_view method, const std::string& target);
  Result<Stream> open(http::ClientRequest request);
  /// The answer to a request that takes a registry's credentials along.
  Result<std::string> ask_registry(std::string_view method, const Query& query, const std::string& auth,
                                   std::string body = {});
  Result<Hijacked> hijack(const std::string& target, std::string body);

  /// Sends `request` on a kept or new connection, which is handed out; error answers become errors.
  Result<http::ClientResponse> exchange(std::unique_ptr<http::Client>& connection,
                                        http::ClientRequest request);
  Result<http::ClientResponse> send(http::Client& connection, http::ClientRequest request);
  std::unique_ptr<http::Client> take_connection();
  Result<void> negotiate();

  http::Address address_;
  std::string version_;
  bool settled_;  ///< the version is known to be right, or may not be changed
  std::unique_ptr<http::Client> idle_;
};

/// What an archive's answer says about the path it is of.
Result<docker::PathStat> read_path_stat(const http::Fields& fields);

/// The engine's error answer as an Error.
Error engine_error(int status, std::string_view body);

template <json::Described T>
Result<T> Client::call_as(std::string_view method, const std::string& target, std::string body) {
  return json::from_value<T>(TRY(call_json(method, target, std::move(body))));
}

/// The elements of a list; null is an empty one.
template <json::Described T>
Result<std::vector<T>> as_list(json::Value value) {
  std::vector<T> out;
  if (value.is_null()) return out;
  if (!value.is_array()) return Error(Kind::Unavailable, "the engine's answer is no list");
  for (auto& element : value.get_array()) out.push_back(TRY(json::from_value<T>(std::move(element))));
  return out;
}

template <json::Described T>
Result<std::vector<T>> Client::call_list(std::string_view method, const std::string& target) {
  return as_list<T>(TRY(call_json(method, target)));
}

}  // namespace skiff::client
