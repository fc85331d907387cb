#include "registry/server/call.h"

#include "base/log.h"
#include "registry/server/registry.h"

namespace skiff::registry::server {
namespace {

constexpr std::string_view kBytes = "application/octet-stream";

Code code_of(const Error& error) {
  switch (error.kind()) {
    case Kind::NotFound:
      return Code::BlobUnknown;
    case Kind::Forbidden:
      return Code::Denied;
    case Kind::Exhausted:
      return Code::NoSpace;
    case Kind::Unavailable:
      return Code::Unavailable;
    default:
      return Code::Unknown;
  }
}

/// Sends a part of an object that is no file.
Result<void> copy_content(Call& call, const Content& content, const ByteRange& range) {
  auto copied = content.copy(range.first, range.length, [&](std::string_view bytes) {
    call.outcome->record.bytes += bytes.size();
    return call.http.write(bytes);
  });
  // The client must not take what it has for the whole.
  if (!copied.ok()) call.http.abort();
  return copied;
}

}  // namespace

void Call::header(std::string_view name, std::string value) {
  http.answer_fields().set(name, std::move(value));
}

Result<void> Call::answer(int status, std::string_view body, std::string_view content_type) {
  outcome->record.status = status;
  outcome->record.bytes = is_head() ? 0 : body.size();
  return http.send(status, body, content_type);
}

Result<void> Call::refuse(Code code, std::string_view message, const json::Value& detail) {
  return answer(facts_of(code).status, refusal_body(code, message, detail));
}

Result<void> Call::refuse(const Error& error) {
  if (error.kind() == Kind::Cancelled) {
    // The client is gone, and nobody reads an answer.
    constexpr int kClientClosed = 499;
    outcome->record.status = kClientClosed;
    http.abort();
    return {};
  }
  const Code code = code_of(error);
  const int status = facts_of(code).status;
  if (status >= 500) log::error("{} {}: {}", http.method(), http.target(), error.message());
  // Paths and the like are for the log.
  return refuse(code);
}

Result<void> Call::send_content(Content content, const RangeAnswer& range) {
  header("Accept-Ranges", "bytes");
  if (range.kind == RangeAnswer::Kind::Unsatisfiable) {
    header("Content-Range", fmt::format("bytes */{}", content.size));
    return refuse(Code::RangeInvalid);
  }
  const bool part = range.kind == RangeAnswer::Kind::Part;
  const ByteRange bytes = part ? range.range : ByteRange{0, content.size};
  if (part)
    header("Content-Range",
           fmt::format("bytes {}-{}/{}", bytes.first, bytes.first + bytes.length - 1, content.size));
  const int status = part ? 206 : 200;
  outcome->record.status = status;
  if (is_head()) return http.send_head(status, bytes.length, kBytes);
  if (!content.file) {
    TRY(http.start(status, bytes.length, kBytes));
    return copy_content(*this, content, bytes);
  }
  deferred = true;
  http::FileBody body{std::move(content.file), bytes.first, bytes.length, {}};
  body.done = [&registry = registry, outcome = outcome](std::uint64_t sent, bool) {
    outcome->record.bytes = sent;
    registry.note(*outcome);
  };
  return http.send_file(status, std::move(body), kBytes);
}

}  // namespace skiff::registry::server
