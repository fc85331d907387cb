#include "client/client.h"

#include "base/strings.h"

namespace skiff::client {

namespace {

Kind kind_of(int status) {
  switch (status) {
    case 304: return Kind::NotModified;
    case 400: return Kind::InvalidArgument;
    case 401:
    case 403: return Kind::Forbidden;
    case 404: return Kind::NotFound;
    case 409: return Kind::Conflict;
    case 413: return Kind::Exhausted;
    case 501: return Kind::Unsupported;
    case 503: return Kind::Unavailable;
    default: return Kind::Internal;
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
  if (auto decoded = json::decode<docker::ErrorResponse>(body); decoded.ok()) answer = *std::move(decoded);
  else answer.message = body;
  std::string message(trim(answer.message));
  if (message.empty()) message = fmt::format("request returned status {}", status);
  return Error(kind_of(status), "Error response from daemon: " + message);
}

Client::Client(Endpoint endpoint, std::string version, bool fixed)
    : endpoint_(std::move(endpoint)), version_(std::move(version)), settled_(fixed) {}

Result<ResponseHead> Client::ping() {
  auto connection = idle_ ? std::move(idle_) : TRY(Connection::open(endpoint_));
  Request request;
  request.method = "HEAD";
  request.target = "/_ping";
  const ResponseHead head = TRY(connection->exchange(request));
  if (connection->reusable()) idle_ = std::move(connection);
  return head;
}

Result<void> Client::negotiate() {
  const ResponseHead head = TRY(ping());
  const std::string_view offered = head.header("api-version");
  if (!offered.empty() && older(offered, version_)) version_ = offered;
  settled_ = true;
  return {};
}

Result<ResponseHead> Client::exchange(std::unique_ptr<Connection>& connection, const Request& request) {
  const bool kept = idle_ != nullptr;
  connection = kept ? std::move(idle_) : TRY(Connection::open(endpoint_));
  Request sent = request;
  sent.target = versioned(request.target);
  auto head = connection->exchange(sent);
  if (!head.ok() && kept && !connection->answered() && !request.produce &&
      head.error().kind() == Kind::Unavailable) {
    // The engine gave up the kept connection before this request reached it.
    connection = TRY(Connection::open(endpoint_));
    head = connection->exchange(sent);
  }
  if (!head.ok()) return head;
  if (head->status < 400) {
    settled_ = true;
    return head;
  }
  const std::string body = TRY(connection->read_all());
  const int status = head->status;
  if (connection->reusable()) idle_ = std::move(connection);
  if (status == 400 && !settled_ && !request.produce && body.find("is too new") != std::string::npos) {
    TRY(negotiate());
    return exchange(connection, request);
  }
  if (status == 404 && request.method == "HEAD") return Error(Kind::NotFound, "Error response from daemon: not found");
  return engine_error(status, body);
}

Result<std::string> Client::call(std::string_view method, const std::string& target, std::string body) {
  Request request;
  request.method = method;
  request.target = target;
  if (!body.empty()) request.content_type = "application/json";
  request.body = std::move(body);
  std::unique_ptr<Connection> connection;
  (void)TRY(exchange(connection, request));
  std::string answer = TRY(connection->read_all());
  if (connection->reusable()) idle_ = std::move(connection);
  return answer;
}

Result<json::Value> Client::call_json(std::string_view method, const std::string& target, std::string body) {
  const std::string text = TRY(call(method, target, std::move(body)));
  return TRY_CONTEXT(json::parse(text), "the engine's answer to {} {}", method, target);
}

Result<Stream> Client::open(Request request) {
  if (request.produce && !settled_) TRY(negotiate());  // a body that is made once cannot be sent twice
  std::unique_ptr<Connection> connection;
  ResponseHead head = TRY(exchange(connection, request));
  return Stream(std::move(connection), std::move(head));
}

Result<Hijacked> Client::hijack(const std::string& target, std::string body) {
  Request request;
  request.method = "POST";
  request.target = target;
  if (!body.empty()) request.content_type = "application/json";
  request.body = std::move(body);
  request.upgrade = true;
  std::unique_ptr<Connection> connection;
  const ResponseHead head = TRY(exchange(connection, request));
  if (head.status != 101 && head.status != 200)
    return fail(Kind::Unavailable, "unable to upgrade to tcp, received {}", head.status);
  Hijacked hijacked;
  hijacked.multiplexed = head.header("content-type") != "application/vnd.docker.raw-stream";
  std::tie(hijacked.socket, hijacked.received) = connection->release();
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
