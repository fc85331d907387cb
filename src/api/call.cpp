#include "api/call.h"

#include <fcntl.h>
#include <unistd.h>

#include <thread>

#include "api/status.h"
#include "base/strings.h"
#include "spec/docker/system.h"
#include "sys/file.h"

namespace skiff::api {
namespace {

constexpr std::size_t kPieceSize = 64 << 10;
constexpr int kPipeSize = 1 << 20;

struct Pipe {
  sys::Fd out;
  sys::Fd in;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe2");
  ::fcntl(ends[1], F_SETPIPE_SZ, kPipeSize);  // smaller is only slower
  return Pipe{sys::Fd(ends[0]), sys::Fd(ends[1])};
}

bool is_json(std::string_view content_type) {
  return equals_ignore_case(trim(cut(content_type, ';').first), "application/json");
}

}  // namespace

Result<std::string> read_json_text(Call& call, Body body) {
  const auto content_type = call.http.fields().get("Content-Type");
  const bool empty = !call.http.has_body();
  if (!(content_type.empty() && empty) && !is_json(content_type))
    return fail(Kind::InvalidArgument, "unsupported Content-Type header ({}): must be 'application/json'",
                content_type);
  std::string text = TRY(call.http.read_body(static_cast<std::size_t>(call.config.max_body_bytes)));
  if (body == Body::Required && trim(text).empty())
    return Error(Kind::InvalidArgument, "invalid JSON: got EOF while reading request body");
  if (trim(text).empty()) text.clear();
  return text;
}

Result<void> answer_text(Call& call, int status, std::string text) {
  text += '\n';
  return call.http.send(status, text);
}

Result<void> answer_nothing(Call& call, int status) { return call.http.send(status, ""); }

void answer_error(http::Exchange& http, const Error& error) {
  const bool body_too_large =
      error.kind() == Kind::Exhausted && error.message() == "http: request body too large";
  const int status = body_too_large ? 413 : http_status(error.kind());
  const spec::docker::ErrorResponse body{error.message()};
  // The client may be gone; then nobody wants to hear of it.
  (void)http.send(status, json::encode(body) + "\n");
}

Result<engine::Filters> filters_of(const Call& call) {
  return engine::Filters::parse(call.query.get("filters"));
}

Result<void> stream_from(Call& call, std::string_view content_type,
                         const std::function<Result<void>(const sys::Fd& out)>& producer) {
  auto pipe = TRY(make_pipe());
  Result<void> produced;
  std::thread thread([&] {
    produced = producer(pipe.in);
    pipe.in.reset();
  });
  Result<void> sent;
  std::string piece(kPieceSize, '\0');
  while (sent.ok()) {
    auto count = sys::read_some(pipe.out, piece.data(), piece.size());
    if (!count.ok() || *count == 0) break;
    if (!call.http.answered()) sent = call.http.start(200, content_type);
    if (sent.ok()) sent = call.http.write(std::string_view(piece).substr(0, *count));
  }
  pipe.out.reset();  // a producer that still writes ends here
  thread.join();
  if (!sent.ok()) return sent;
  if (!produced.ok()) return produced;
  return call.http.answered() ? success() : call.http.send(200, "", content_type);
}

Result<void> stream_into(Call& call, const std::function<Result<void>(const sys::Fd& in)>& consumer) {
  auto pipe = TRY(make_pipe());
  Result<void> consumed;
  std::atomic<bool> pumping = true;
  std::thread thread([&] {
    consumed = consumer(pipe.out);
    pipe.out.reset();
    if (!consumed.ok() && pumping) call.http.stop_reading();
  });
  Result<void> pumped;
  std::string piece(kPieceSize, '\0');
  while (pumped.ok()) {
    auto count = call.http.read(piece.data(), piece.size());
    if (!count.ok())
      pumped = std::move(count).error();
    else if (*count == 0)
      break;
    else
      pumped = sys::write_all(pipe.in, std::string_view(piece).substr(0, *count));
  }
  pumping = false;
  pipe.in.reset();
  thread.join();
  // What the consumer says is the reason; a broken pipe is only its consequence.
  if (!consumed.ok()) return consumed;
  // A consumer may stop before the end of its input, for example at the end of an archive.
  return pumped.ok() || pumped.error().code() == EPIPE ? success() : pumped;
}

}  // namespace skiff::api
