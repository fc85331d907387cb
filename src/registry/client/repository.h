#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/thread.h"
#include "http/web.h"
#include "registry/client/authorizer.h"
#include "registry/client/endpoint.h"
#include "registry/client/settings.h"
#include "spec/digest.h"
#include "spec/oci_image.h"
#include "spec/reference.h"

namespace skiff::registry {

/// A manifest or an index as it came, verified against the digest it was asked for by.
struct ManifestBytes {
  std::string bytes;
  std::string media_type;
  spec::Digest digest;
};

/// Takes a blob's bytes: those from `offset` of the blob on.
using BlobSink = std::function<Result<void>(std::uint64_t offset, std::string_view piece)>;

/// What is wanted of a blob.
struct BlobRange {
  std::uint64_t offset = 0;
  std::optional<std::uint64_t>
      end;                       ///< the first byte that is not wanted; a server without ranges sends it, too
  std::function<void()> ranged;  ///< called before the first byte from a server that takes ranges
  std::optional<int> attempts;   ///< before the first byte; without it as often as the settings say
};

/// A blob on its way out: its bytes once, and the digest of what was given, known when they are.
struct Upload {
  http::BodySource source;
  std::optional<std::uint64_t> size;
  std::function<spec::Digest()> digest;
};

/// One repository of a registry (distribution-spec): its manifests, tags and blobs. Blocking, thread-safe;
/// each thread that is at work has a connection of its own. Requests that can be repeated are, as long as the
/// server cannot be reached, is busy, or breaks off before the body; after a pause that grows, or that the
/// server names. Errors: see refusal(); Unavailable `Get "<url>": <why>`; Cancelled; DataLoss for bytes that
/// are not what their digest says.
class Repository {
 public:
  /// Asks the registry at `endpoint` what it is, and how it wants to be asked. Unavailable when there is
  /// none.
  static Result<std::shared_ptr<Repository>> open(const Endpoint& endpoint, const spec::Reference& name,
                                                  Purpose purpose, Credentials credentials,
                                                  const Settings& settings, const std::stop_token& stop);

  /// The first of a registry's endpoints that leads there, mirrors left out; the last one's error when none
  /// does.
  static Result<std::shared_ptr<Repository>> connect(const spec::Reference& name, Purpose purpose,
                                                     const Credentials& credentials, const Settings& settings,
                                                     const std::stop_token& stop);

  /// What a tag or digest stands for now: a digest for itself, or it is DataLoss. NotFound.
  Result<spec::oci::Descriptor> resolve(const std::string& tag_or_digest, const std::stop_token& stop);
  Result<ManifestBytes> manifest(const std::string& tag_or_digest, const std::stop_token& stop);
  Result<std::vector<std::string>> tags(const std::stop_token& stop);

  /// A small blob whole: a config.
  Result<std::string> read_blob(const spec::oci::Descriptor& blob, const std::stop_token& stop);
  /// A part of a blob, once: whoever wants to resume asks again. A server that knows no ranges sends all from
  /// the start; `sink` is told where each piece belongs. An error of kind Unavailable or Exhausted may pass.
  Result<void> read_blob(const spec::Digest& digest, const BlobRange& range, const BlobSink& sink,
                         const std::stop_token& stop);
  /// `size` bytes of a blob from `offset` on, all of which it has. Unsupported when the server knows no
  /// ranges.
  Result<std::string> read_range(const spec::Digest& digest, std::uint64_t offset, std::size_t size,
                                 const std::stop_token& stop);
  /// The size of a blob, nothing when it is not here.
  Result<std::optional<std::uint64_t>> blob_size(const spec::Digest& digest, const std::stop_token& stop);

  /// Asks the registry to take the blob over from another repository of its own. False when it will not.
  Result<bool> mount(const spec::Digest& digest, const std::string& from_path, const std::stop_token& stop);
  Result<void> upload(Upload upload, const std::stop_token& stop);
  /// Gives the digest under which it is known.
  Result<spec::Digest> put_manifest(const std::string& tag_or_digest, const std::string& media_type,
                                    const std::string& bytes, const std::stop_token& stop);

  const Endpoint& endpoint() const { return endpoint_; }
  const spec::Reference& name() const { return name_; }

 private:
  Repository(Endpoint endpoint, const spec::Reference& name, Purpose purpose, Credentials credentials,
             const Settings& settings);

  Result<void> ping(const std::stop_token& stop);
  std::string url(std::string_view rest) const;
  std::string for_mirror(std::string url) const;
  std::string scope(std::string_view path) const;
  Result<ManifestBytes> manifest(const std::string& tag_or_digest, const std::stop_token& stop, int attempts);
  /// One request with authorization, redirects and repetition: as often as the settings say, unless
  /// `attempts` says it.
  Result<http::WebResponse> request(http::WebRequest request, const std::stop_token& stop,
                                    const http::WebSink& sink = {}, std::vector<std::string> scopes = {},
                                    std::optional<int> attempts = {});
  Result<http::WebResponse> once(http::WebRequest request, const std::vector<std::string>& scopes,
                                 const std::stop_token& stop, const http::WebSink& sink);
  struct Answer {
    http::WebResponse response;
    bool ours;  ///< of the registry itself, not of a server that it sent us to
  };
  Result<Answer> follow(http::WebRequest request, const std::string& authorization,
                        const std::stop_token& stop, const http::WebSink& sink);
  Result<http::WebResponse> perform(const http::WebRequest& request, bool ours, const std::stop_token& stop,
                                    const http::WebSink& sink);
  Result<std::string> start_upload(const std::stop_token& stop);
  Result<std::string> location_of(const http::WebResponse& response, const std::string& base) const;

  const Endpoint endpoint_;
  const spec::Reference name_;
  const Purpose purpose_;
  const Settings settings_;
  Authorizer authorizer_;
  Mutex mutex_;
  using Sessions = std::vector<std::unique_ptr<http::WebSession>>;
  Sessions idle_ GUARDED_BY(mutex_);            ///< with the registry
  Sessions idle_elsewhere_ GUARDED_BY(mutex_);  ///< with the servers that it sends us to
};

/// Whether the registry at `endpoint` takes these credentials, as a login asks: an identity token that it
/// offers in place of the password, or "". Forbidden "login attempt to <url> failed with status: 401
/// Unauthorized".
Result<std::string> log_in(const Endpoint& endpoint, const Credentials& credentials,
                           const std::stop_token& stop);

}  // namespace skiff::registry
