#include "base/strings.h"
#include "client/client.h"

namespace skiff::client {

namespace {

Query path_of(std::string_view id, std::string_view action) {
  return Query(fmt::format("/containers/{}{}", encode_path(id), action));
}

Query exec_path(std::string_view id, std::string_view action) {
  return Query(fmt::format("/exec/{}{}", encode_path(id), action));
}

/// The bytes of base64 text; nothing when it is malformed.
std::optional<std::string> decode_base64(std::string_view text) {
  std::string out;
  unsigned bits = 0;
  int held = 0;
  for (const char c : text) {
    int digit = 0;
    if (c >= 'A' && c <= 'Z')
      digit = c - 'A';
    else if (c >= 'a' && c <= 'z')
      digit = c - 'a' + 26;
    else if (c >= '0' && c <= '9')
      digit = c - '0' + 52;
    else if (c == '+' || c == '-')
      digit = 62;
    else if (c == '/' || c == '_')
      digit = 63;
    else if (c == '=')
      break;
    else
      return std::nullopt;
    bits = bits << 6 | static_cast<unsigned>(digit);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out += static_cast<char>(bits >> held & 0xff);
  }
  return out;
}

std::string timeout_text(std::optional<std::int64_t> timeout) {
  return timeout ? std::to_string(*timeout) : "";
}

}  // namespace

Result<docker::PathStat> read_path_stat(const http::Fields& fields) {
  const auto text = decode_base64(fields.get("X-Docker-Container-Path-Stat"));
  if (!text) return Error(Kind::Unavailable, "the engine's answer has no path stat");
  return json::decode<docker::PathStat>(*text);
}

Result<std::vector<docker::ContainerSummary>> Client::containers(bool all, int limit, bool size,
                                                                 const Filters& filters) {
  Query query("/containers/json");
  query.flag("all", all).filters(filters);
  if (limit > 0) query.add("limit", std::to_string(limit));
  return call_list<docker::ContainerSummary>("GET", query.flag("size", size).text());
}

Result<docker::ContainerCreated> Client::create_container(const docker::ContainerCreate& request,
                                                          std::string_view name, std::string_view platform) {
  const Query query = Query("/containers/create").add_if("name", name).add_if("platform", platform);
  return call_as<docker::ContainerCreated>("POST", query.text(), json::encode(request));
}

Result<json::Value> Client::inspect_container(std::string_view id, bool size) {
  return call_json("GET", path_of(id, "/json").flag("size", size).text());
}

Result<void> Client::start_container(std::string_view id, std::string_view detach_keys) {
  (void)TRY(call("POST", path_of(id, "/start").add_if("detachKeys", detach_keys).text()));
  return {};
}

Result<void> Client::stop_container(std::string_view id, std::string_view signal,
                                    std::optional<std::int64_t> timeout) {
  (void)TRY(
      call("POST", path_of(id, "/stop").add_if("signal", signal).add_if("t", timeout_text(timeout)).text()));
  return {};
}

Result<void> Client::restart_container(std::string_view id, std::string_view signal,
                                       std::optional<std::int64_t> timeout) {
  (void)TRY(call("POST",
                 path_of(id, "/restart").add_if("signal", signal).add_if("t", timeout_text(timeout)).text()));
  return {};
}

Result<void> Client::kill_container(std::string_view id, std::string_view signal) {
  (void)TRY(call("POST", path_of(id, "/kill").add_if("signal", signal).text()));
  return {};
}

Result<void> Client::pause_container(std::string_view id) {
  (void)TRY(call("POST", path_of(id, "/pause").text()));
  return {};
}

Result<void> Client::unpause_container(std::string_view id) {
  (void)TRY(call("POST", path_of(id, "/unpause").text()));
  return {};
}

Result<void> Client::rename_container(std::string_view id, std::string_view name) {
  (void)TRY(call("POST", path_of(id, "/rename").add("name", name).text()));
  return {};
}

Result<void> Client::remove_container(std::string_view id, const RemoveOptions& options) {
  const Query query =
      path_of(id, "").flag("force", options.force).flag("link", options.link).flag("v", options.volumes);
  (void)TRY(call("DELETE", query.text()));
  return {};
}

Result<void> Client::resize_container(std::string_view id, int rows, int columns) {
  (void)TRY(
      call("POST",
           path_of(id, "/resize").add("h", std::to_string(rows)).add("w", std::to_string(columns)).text()));
  return {};
}

Result<std::vector<std::string>> Client::update_container(std::string_view id,
                                                          const docker::ContainerUpdate& request) {
  return TRY(call_as<docker::ContainerCreated>("POST", path_of(id, "/update").text(), json::encode(request)))
      .warnings;
}

Result<docker::TopResponse> Client::top(std::string_view id, const std::vector<std::string>& ps_arguments) {
  return call_as<docker::TopResponse>("GET",
                                      path_of(id, "/top").add_if("ps_args", join(ps_arguments, " ")).text());
}

Result<Stream> Client::export_container(std::string_view id) {
  http::ClientRequest request;
  request.target = path_of(id, "/export").text();
  return open(std::move(request));
}

Result<std::vector<docker::FileChange>> Client::changes(std::string_view id) {
  return call_list<docker::FileChange>("GET", path_of(id, "/changes").text());
}

Result<Stream> Client::logs(std::string_view id, const LogOptions& options) {
  http::ClientRequest request;
  request.method = "GET";
  request.target = path_of(id, "/logs")
                       .add("stdout", "1")
                       .add("stderr", "1")
                       .flag("follow", options.follow)
                       .flag("timestamps", options.timestamps)
                       .flag("details", options.details)
                       .add_if("since", options.since)
                       .add_if("until", options.until)
                       .add("tail", options.tail)
                       .text();
  return open(std::move(request));
}

Result<Stream> Client::stats(std::string_view id, bool stream, bool one_shot) {
  http::ClientRequest request;
  request.method = "GET";
  request.target = path_of(id, "/stats").add("stream", stream ? "1" : "0").flag("one-shot", one_shot).text();
  return open(std::move(request));
}

Result<Hijacked> Client::attach(std::string_view id, const AttachOptions& options) {
  const Query query = path_of(id, "/attach")
                          .add("stream", "1")
                          .flag("stdin", options.stdin_stream)
                          .flag("stdout", options.stdout_stream)
                          .flag("stderr", options.stderr_stream)
                          .add_if("detachKeys", options.detach_keys)
                          .flag("logs", options.logs);
  return hijack(query.text(), "");
}

Result<Stream> Client::wait(std::string_view id, std::string_view condition) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = path_of(id, "/wait").add_if("condition", condition).text();
  return open(std::move(request));
}

Result<docker::PathStat> Client::stat_path(std::string_view id, std::string_view path) {
  http::ClientRequest request;
  request.method = "HEAD";
  request.target = path_of(id, "/archive").add("path", path).text();
  std::unique_ptr<http::Client> connection;
  auto response = exchange(connection, std::move(request));
  if (!response.ok() && response.error().kind() == Kind::NotFound)
    return fail(Kind::NotFound, "Could not find the file {} in container {}", path, id);
  const http::Fields fields = TRY(std::move(response)).fields;
  idle_ = std::move(connection);
  return read_path_stat(fields);
}

Result<Stream> Client::copy_from(std::string_view id, std::string_view path) {
  http::ClientRequest request;
  request.method = "GET";
  request.target = path_of(id, "/archive").add("path", path).text();
  return open(std::move(request));
}

Result<void> Client::copy_to(std::string_view id, std::string_view path, bool copy_owner,
                             http::BodySource tar) {
  http::ClientRequest request;
  request.method = "PUT";
  request.target = path_of(id, "/archive")
                       .add("path", path)
                       .add("noOverwriteDirNonDir", "true")
                       .flag("copyUIDGID", copy_owner)
                       .text();
  request.content_type = "application/x-tar";
  request.source = std::move(tar);
  Stream stream = TRY(open(std::move(request)));
  (void)TRY(stream.read_all());
  return {};
}

Result<docker::ContainerPruneReport> Client::prune_containers(const Filters& filters) {
  return call_as<docker::ContainerPruneReport>("POST", Query("/containers/prune").filters(filters).text());
}

Result<std::string> Client::create_exec(std::string_view id, const docker::ExecCreate& request) {
  return TRY(call_as<docker::ExecCreated>("POST", path_of(id, "/exec").text(), json::encode(request))).id;
}

Result<void> Client::start_exec_detached(std::string_view exec_id) {
  docker::ExecStart request;
  request.detach = true;
  (void)TRY(call("POST", exec_path(exec_id, "/start").text(), json::encode(request)));
  return {};
}

Result<Hijacked> Client::start_exec(std::string_view exec_id, const docker::ExecStart& request) {
  Hijacked hijacked = TRY(hijack(exec_path(exec_id, "/start").text(), json::encode(request)));
  hijacked.multiplexed = !request.tty;
  return hijacked;
}

Result<docker::ExecInspect> Client::inspect_exec(std::string_view exec_id) {
  return call_as<docker::ExecInspect>("GET", exec_path(exec_id, "/json").text());
}

Result<void> Client::resize_exec(std::string_view exec_id, int rows, int columns) {
  (void)TRY(call(
      "POST",
      exec_path(exec_id, "/resize").add("h", std::to_string(rows)).add("w", std::to_string(columns)).text()));
  return {};
}

}  // namespace skiff::client
