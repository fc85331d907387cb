#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/thread.h"
#include "monitor/protocol.h"
#include "sys/fd.h"

namespace skiff::runner {

/// The daemon's end of one monitor's socket. Any thread may call; the runner's thread reads. Many calls can
/// be under way at once, and each ends after its timeout at the latest.
class Link {
 public:
  Link(std::string container, sys::Fd socket)
      : container_(std::move(container)), socket_(std::move(socket)) {}

  const sys::Fd& socket() const { return socket_; }

  /// Sends a request and waits for its answer. Unavailable: the monitor is gone or does not answer in time.
  Result<monitor::Message> call(std::string_view type, json::Value body, std::vector<sys::Fd> fds,
                                std::chrono::milliseconds timeout) EXCLUDES(mutex_);

  /// Says something that has no answer. A monitor that takes nothing is waited for only briefly.
  Result<void> notify(std::string_view type, json::Value body) EXCLUDES(mutex_);

  /// Reads what has arrived: answers wake their callers, events go to `event`. False when the monitor closed.
  bool read(const std::function<void(monitor::Message)>& event) EXCLUDES(mutex_);

  /// Fails all calls, now and later.
  void close() EXCLUDES(mutex_);
  /// As close(), and the monitor is told: it ends by itself once its container has.
  void hang_up() EXCLUDES(mutex_);
  bool closed() EXCLUDES(mutex_);

 private:
  using Waiting = std::optional<Result<monitor::Message>>;

  Error gone() const;
  Result<void> send(const monitor::Packed& packed, std::chrono::steady_clock::time_point deadline);

  const std::string container_;
  const sys::Fd socket_;
  Mutex mutex_;
  std::condition_variable answered_;
  std::uint64_t last_id_ GUARDED_BY(mutex_) = 0;
  std::map<std::uint64_t, Waiting> waiting_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace skiff::runner
