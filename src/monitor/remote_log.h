#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "monitor/log_driver.h"
#include "monitor/log_encoder.h"
#include "monitor/log_lines.h"
#include "monitor/loop.h"
#include "sys/fd.h"

namespace skiff::monitor {

/// Sends lines to a log server, and keeps them in `cache` beside, where `docker logs` finds them.
///
/// Nothing waits for a server that is not there: lines wait for it in a buffer of settings.buffer_bytes, of
/// which the oldest are dropped, and it is tried again, ever more seldom. A server that is there but slow
/// makes the program wait once the buffer is full (mode "blocking") or costs the oldest lines
/// ("non-blocking"); one that takes nothing for kStallLimit counts as not there. After the container's end
/// what is left is sent for at most kLastLimit.
class RemoteLog final : public LogDriver {
 public:
  static constexpr std::chrono::milliseconds kFirstRetry{100};
  static constexpr std::chrono::milliseconds kLongestRetry{10000};
  static constexpr std::chrono::milliseconds kStallLimit{10000};
  static constexpr std::chrono::milliseconds kLastLimit{2000};

  RemoteLog(Loop& loop, const LogSettings& settings, std::unique_ptr<LogEncoder> encoder,
            std::unique_ptr<LogDriver> cache, std::function<void()> changed);

  void append(Stream stream, std::string_view bytes, Time time) override;
  void finish(Stream stream, Time time) override;
  Result<void> flush() override;
  void trim() override;
  void close() override;
  bool full() const override { return blocking_ && up_ && full_; }
  bool busy() const override { return closing_ && !given_up_ && !queue_.empty(); }

  std::uint64_t dropped() const { return dropped_; }

 private:
  struct Parts {
    std::string id;
    int count = 0;
  };

  void put(Stream stream, const LogLines::Line& line, bool at_end, Time time);
  void enqueue(LogPacket packet);
  void drop_to(std::size_t limit);
  void pop();
  void connect();
  void connect_by_tls(const std::string& address);
  void connected();
  void disconnect(const Error& reason);
  void ready(std::uint32_t events);
  void send();
  bool send_front();
  void read_reply();
  void read_tls_answer();
  void waits();
  bool is_stream() const {
    return settings_.target.network != "udp" && settings_.target.network != "unixgram";
  }

  Loop& loop_;
  LogSettings settings_;  ///< of it: network, addresses, driver
  std::unique_ptr<LogEncoder> encoder_;
  std::unique_ptr<LogDriver> cache_;
  std::function<void()> changed_;
  bool blocking_;
  LogLines lines_;
  Parts parts_[2];
  std::vector<LogPacket> packets_;

  std::deque<LogPacket> queue_;
  std::size_t queued_ = 0;  ///< bytes
  std::size_t sent_ = 0;    ///< of the first, on a stream
  bool awaiting_ = false;   ///< the first was sent and is not acknowledged
  std::string reply_;
  bool full_ = false;
  std::uint64_t dropped_ = 0;
  std::uint64_t told_dropped_ = 0;

  sys::Fd socket_;
  sys::Process tls_;  ///< what is at the other end of it, when that is not the server itself
  bool up_ = false;
  bool told_down_ = false;
  std::size_t address_ = 0;  ///< the one that is tried
  std::chrono::milliseconds retry_ = kFirstRetry;
  std::unique_ptr<Loop::Watch> watch_;
  std::unique_ptr<Loop::Timer> retry_timer_;
  std::unique_ptr<Loop::Timer> stall_timer_;
  bool closing_ = false;
  bool given_up_ = false;
  std::unique_ptr<Loop::Timer> last_timer_;
};

}  // namespace skiff::monitor
