#include "api/call.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <thread>

#include "api/status.h"
#include "base/strings.h"
#include "base/thread.h"
#include "spec/docker/system.h"
#include "sys/file.h"

namespace skiff::api {
namespace {

constexpr std::size_t kPieceSize = 64 << 10;
constexpr int kPipeSize = 1 << 20;
/// How much of a body that nobody wants is read, and for how long, before the connection is ended instead.
constexpr std::size_t kMostSwallowed = 256 << 20;
constexpr std::chrono::milliseconds kPatience{5000};

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

/// Moves a request's body into a pipe. When nobody reads the pipe any more the rest is swallowed: many
/// clients look for the answer only after they have sent everything.
class Pump {
 public:
  Pump(http::Exchange& http, sys::Fd out) : http_(http), out_(std::move(out)) {}

  Result<void> run() {
    auto result = move_all();
    out_.reset();
    const MutexLock lock(mutex_);
    done_ = true;
    finished_.notify_all();
    return result;
  }

  /// Called by the consumer when it is through: run() ends at the latest then.
  void give_up_after(std::chrono::milliseconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    MutexLock lock(mutex_);
    while (!done_)
      if (!lock.wait_until(finished_, deadline)) break;
    if (!done_) http_.stop_reading();
  }

 private:
  Result<void> move_all() {
    std::string piece(kPieceSize, '\0');
    std::size_t swallowed = 0;
    while (true) {
      if (TRY(still_wanted(out_ ? http_.move(out_) : std::size_t{0})) > 0) continue;
      const std::size_t count = TRY(http_.read(piece.data(), piece.size()));
      if (count == 0) return {};
      if (out_) TRY(still_wanted(copy(std::string_view(piece).substr(0, count))));
      if (!out_) swallowed += count;
      if (swallowed > kMostSwallowed) return {};
    }
  }

  Result<std::size_t> copy(std::string_view piece) {
    TRY(sys::write_all(out_, piece));
    return piece.size();
  }

  /// Nobody reading any more is no error: `out_` is closed then.
  Result<std::size_t> still_wanted(Result<std::size_t> moved) {
    if (moved.ok() || moved.error().code() != EPIPE) return moved;
    out_.reset();
    return std::size_t{0};
  }

  http::Exchange& http_;
  sys::Fd out_;
  Mutex mutex_;
  std::condition_variable finished_;
  bool done_ GUARDED_BY(mutex_) = false;
};

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

Result<std::optional<spec::Platform>> json_platform(const Call& call) {
  return json_platform(call.query.get("platform"));
}

Result<std::optional<spec::Platform>> json_platform(const std::string& text) {
  if (text.empty()) return std::optional<spec::Platform>();
  auto platform = json::decode<spec::Platform>(text);
  if (!platform.ok())
    return fail(Kind::InvalidArgument, "failed to parse platform: {}", platform.error().message());
  if (platform->os.empty() || platform->architecture.empty())
    return Error(Kind::InvalidArgument, "both OS and Architecture must be provided");
  return std::optional<spec::Platform>(*std::move(platform));
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
  // Long chunks: who reads them gets most of them without looking for their ends.
  const auto piece = std::make_unique_for_overwrite<char[]>(kPipeSize);
  while (sent.ok()) {
    auto count = sys::read_some(pipe.out, piece.get(), kPipeSize);
    if (!count.ok() || *count == 0) break;
    if (!call.http.answered()) sent = call.http.start(200, content_type);
    if (sent.ok()) sent = call.http.write(std::string_view(piece.get(), *count));
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
  Pump pump(call.http, std::move(pipe.in));
  std::thread thread([&] {
    consumed = consumer(pipe.out);
    pipe.out.reset();
    pump.give_up_after(kPatience);
  });
  const auto pumped = pump.run();
  thread.join();
  // What the consumer says is the reason; a body that could not be read to its end may only be a consequence.
  return consumed.ok() ? pumped : consumed;
}

}  // namespace skiff::api
