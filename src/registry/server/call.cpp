#include "registry/server/call.h"

#include "base/log.h"
#include "registry/server/registry.h"

namespace skiff::registry::server {
namespace {

constexpr std::string_view kBytes = "application/octet-stream";
constexpr std::size_t kPieceSize = 64 << 10;

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

/// Sends `length` bytes of an object that is no file.
Result<void> copy_content(Call& call, const Content& content, std::uint64_t length) {
  std::string piece(kPieceSize, '\0');
  while (length > 0) {
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(length, piece.size()));
    const auto count = content.read(piece.data(), most);
    if (!count.ok() || *count == 0) {
      call.http.abort();  // the client must not take what it has for the whole
      return count.ok() ? Error(Kind::DataLoss, "an object ended before its size") : count.error();
    }
    TRY(call.http.write(std::string_view(piece).substr(0, *count)));
    call.outcome->record.bytes += *count;
    length -= *count;
  }
  return {};
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
    return copy_content(*this, content, bytes.length);
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
