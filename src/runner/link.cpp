#include "runner/link.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

namespace skiff::runner {

using Clock = std::chrono::steady_clock;

namespace {

constexpr std::chrono::milliseconds kNotifyLimit{100};

}  // namespace

Error Link::gone() const {
  return fail(Kind::Unavailable, "the monitor of container {} is gone", container_);
}

Result<monitor::Message> Link::call(std::string_view type, json::Value body, std::vector<sys::Fd> fds,
                                    std::chrono::milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  std::uint64_t id = 0;
  {
    const MutexLock lock(mutex_);
    if (closed_) return gone();
    id = ++last_id_;
    waiting_.emplace(id, std::nullopt);
  }
  auto packed = monitor::pack(id, type, std::move(body), std::move(fds));
  auto sent = packed ? send(*packed, deadline) : Result<void>(packed.error());
  MutexLock lock(mutex_);
  const auto forget = [&]() NO_THREAD_SAFETY_ANALYSIS { return std::move(waiting_.extract(id).mapped()); };
  if (!sent) {
    forget();
    return std::move(sent).error();
  }
  while (!waiting_.at(id)) {
    if (closed_) {
      forget();
      return gone();
    }
    if (!lock.wait_until(answered_, deadline) && !waiting_.at(id) && !closed_) {
      forget();
      return fail(Kind::Unavailable, "the monitor of container {} does not answer \"{}\"", container_, type);
    }
  }
  auto answer = *forget();
  if (answer && answer->type == monitor::type::kError) {
    return TRY(json::from_value<monitor::Failure>(std::move(answer->body))).to_error();
  }
  return answer;
}

Result<void> Link::notify(std::string_view type, json::Value body) {
  if (closed()) return gone();
  return send(TRY(monitor::pack(0, type, std::move(body))), Clock::now() + kNotifyLimit);
}

Result<void> Link::send(const monitor::Packed& packed, Clock::time_point deadline) {
  while (true) {
    auto sent = monitor::send(socket_, packed);
    if (sent) return success();
    if (sent.error().code() == EPIPE || sent.error().code() == ECONNRESET) return gone();
    if (sent.error().code() != EAGAIN) return sent;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd room{.fd = socket_.get(), .events = POLLOUT, .revents = 0};
    if (left.count() <= 0 || ::poll(&room, 1, static_cast<int>(left.count())) == 0) {
      return fail(Kind::Unavailable, "the monitor of container {} does not answer", container_);
    }
  }
}

bool Link::read(const std::function<void(monitor::Message)>& event) {
  while (true) {
    auto message = monitor::receive(socket_);
    if (!message) return message.error().code() == EAGAIN;
    if (message->id == 0) {
      event(*std::move(message));
      continue;
    }
    const MutexLock lock(mutex_);
    const auto found = waiting_.find(message->id);
    if (found == waiting_.end()) continue;  // its caller has given up
    found->second = std::move(message);
    answered_.notify_all();
  }
}

void Link::close() {
  const MutexLock lock(mutex_);
  closed_ = true;
  answered_.notify_all();
}

void Link::hang_up() {
  close();
  ::shutdown(socket_.get(), SHUT_RDWR);
}

bool Link::closed() {
  const MutexLock lock(mutex_);
  return closed_;
}

}  // namespace skiff::runner
