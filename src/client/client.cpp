#include "client/client.h"

#include <cerrno>

#include "base/strings.h"

namespace skiff::client {

namespace {

Kind kind_of(int status) {
  switch (status) {
    case 304:
      return Kind::NotModified;
    case 400:
      return Kind::InvalidArgument;
    case 401:
    case 403:
      return Kind::Forbidden;
    case 404:
      return Kind::NotFound;
    case 409:
      return Kind::Conflict;
    case 413:
      return Kind::Exhausted;
    case 501:
      return Kind::Unsupported;
    case 503:
      return Kind::Unavailable;
    default:
      return Kind::Internal;
  }
}

/// Whether version "1.9" is older than "1.10".
bool older(std::string_view a, std::string_view b) {
  const auto number = [](std::string_view text) {
    const auto [major, minor] = cut(text, '.');
    return parse_int(major).value_or(0) * 1000 + parse_int(minor.value_or("0")).value_or(0);
  };
  return number(a) < number(b);
}

}  // namespace

Error engine_error(int status, std::string_view body) {
  docker::ErrorResponse answer;
  if (auto decoded = json::decode<docker::ErrorResponse>(body); decoded.ok())
    answer = *std::move(decoded);
  else
    answer.message = body;
  std::string message(trim(answer.message));
  if (message.empty()) message = fmt::format("request returned status {}", status);
  return Error(kind_of(status), "Error response from daemon: " + message);
}

Client::Client(http::Address address, std::string version, bool fixed)
    : address_(std::move(address)), version_(std::move(version)), settled_(fixed) {}

std::unique_ptr<http::Client> Client::take_connection() {
  return idle_ ? std::move(idle_) : std::make_unique<http::Client>(address_);
}

Result<http::ClientResponse> Client::send(http::Client& connection, http::ClientRequest request) {
  // What goes wrong with the caller's own data has nothing to do with the connection.
  std::optional<Error> of_source;
  if (request.source)
    request.source = [source = std::move(request.source), &of_source](
                         char* buffer, std::size_t size) -> Result<std::size_t> {
      auto got = source(buffer, size);
      if (!got.ok()) of_source = got.error();
      return got;
    };
  if (request.early)
    request.early = [early = std::move(request.early), &of_source](std::string_view bytes) {
      auto taken = early(bytes);
      if (!taken.ok()) of_source = taken.error();
      return taken;
    };
  auto response = connection.send(std::move(request));
  if (response.ok()) return response;
  if (of_source) return *of_source;
  const int code = response.error().code();
  if (code == EACCES || code == EPERM)
    return fail(Kind::Forbidden,
                "permission denied while trying to connect to the Docker daemon socket at {}: {}",
                address_.to_string(), response.error().message());
  if (code != 0)
    return fail(Kind::Unavailable, "Cannot connect to the Docker daemon at {}. Is the docker daemon running?",
                address_.to_string());
  return response.error().with_context("error during connect");
}

Result<http::Fields> Client::ping() {
  auto connection = take_connection();
  http::ClientRequest request;
  request.method = "HEAD";
  request.target = "/_ping";
  http::Fields fields = TRY(send(*connection, std::move(request))).fields;
  idle_ = std::move(connection);
  return fields;
}

Result<void> Client::negotiate() {
  const http::Fields fields = TRY(ping());
  const std::string_view offered = fields.get("Api-Version");
  if (!offered.empty() && older(offered, version_)) version_ = offered;
  settled_ = true;
  return {};
}

Result<http::ClientResponse> Client::exchange(std::unique_ptr<http::Client>& connection,
                                              http::ClientRequest request) {
  connection = take_connection();
  http::ClientRequest sent = request;
  sent.target = "/v" + version_ + request.target;
  auto response = TRY(send(*connection, std::move(sent)));
  if (response.status < 400) {
    settled_ = true;
    return response;
  }
  const std::string body = TRY(response.read_all());
  idle_ = std::move(connection);
  if (response.status == 400 && !settled_ && !request.source && !request.file &&
      body.find("is too new") != std::string::npos) {
    TRY(negotiate());
    return exchange(connection, std::move(request));
  }
  return engine_error(response.status, body);
}

Result<std::string> Client::call(std::string_view method, const std::string& target, std::string body) {
  http::ClientRequest request;
  request.method = method;
  request.target = target;
  request.body = std::move(body);
  std::unique_ptr<http::Client> connection;
  auto response = TRY(exchange(connection, std::move(request)));
  std::string answer = TRY(response.read_all(SIZE_MAX));
  idle_ = std::move(connection);
  return answer;
}

Result<json::Value> Client::call_json(std::string_view method, const std::string& target, std::string body) {
  const std::string text = TRY(call(method, target, std::move(body)));
  return TRY_CONTEXT(json::parse(text), "the engine's answer to {} {}", method, target);
}

Result<Stream> Client::open(http::ClientRequest request) {
  if (request.source && !settled_) TRY(negotiate());  // a body that is made once cannot be sent twice
  std::unique_ptr<http::Client> connection;
  auto response = TRY(exchange(connection, std::move(request)));
  return Stream(std::move(connection), std::move(response));
}

Result<Hijacked> Client::hijack(const std::string& target, std::string body) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = target;
  request.body = std::move(body);
  request.upgrade = true;
  std::unique_ptr<http::Client> connection;
  auto response = TRY(exchange(connection, std::move(request)));
  if (response.status != 101 && response.status != 200)
    return fail(Kind::Unavailable, "unable to upgrade to tcp, received {}", response.status);
  Hijacked hijacked;
  hijacked.multiplexed = response.fields.get("Content-Type") != "application/vnd.docker.raw-stream";
  auto taken = TRY(response.take_connection());
  hijacked.socket = std::move(taken.socket);
  hijacked.received = std::move(taken.early_input);
  return hijacked;
}

Result<std::optional<json::Value>> Stream::next_json() {
  while (true) {
    // Engines end each text with a line break, and no text holds one.
    const auto end = pending_.find('\n', scanned_);
    if (end != std::string::npos) {
      const std::string line(trim(std::string_view(pending_).substr(0, end)));
      pending_.erase(0, end + 1);
      scanned_ = 0;
      if (line.empty()) continue;
      return std::optional(TRY(json::parse(line)));
    }
    scanned_ = pending_.size();
    char piece[16 << 10];
    const std::size_t got = TRY(read(piece, sizeof piece));
    pending_.append(piece, got);
    if (got > 0) continue;
    const std::string rest(trim(pending_));
    pending_.clear();
    scanned_ = 0;
    if (rest.empty()) return std::optional<json::Value>();
    return std::optional(TRY(json::parse(rest)));
  }
}

}  // namespace skiff::client
