#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "base/result.h"
#include "base/thread.h"

namespace skiff::registry::server {

/// Work that several ask for at once and that is done once, on a thread of its own: it goes on when the first
/// of them goes away.
class Flight {
 public:
  /// So much of it is done (bytes), for those who do not want to wait for the end.
  void progress(std::uint64_t done);
  /// Waits until more than `seen` is done, or everything; how much it is then.
  std::uint64_t wait_beyond(std::uint64_t seen);
  /// Waits for the end.
  Result<void> wait();
  bool ended();

  /// What progress() counts can be read here while the flight lasts; then it may be NotFound. Set before
  /// progress().
  std::function<Result<void>(std::uint64_t first, std::uint64_t length,
                             const std::function<Result<void>(std::string_view)>& sink)>
      read;

 private:
  friend class Flights;
  void end(Result<void> result);

  Mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t done_ GUARDED_BY(mutex_) = 0;
  std::optional<Result<void>> result_ GUARDED_BY(mutex_);
};

/// The flights that are under way, by name.
class Flights {
 public:
  using Work = std::function<Result<void>(Flight& flight, const std::stop_token& stop)>;

  ~Flights();
  /// Joins the flight of that name, or begins it with `work`.
  std::shared_ptr<Flight> join(const std::string& name, Work work);
  /// Stops all flights and waits for their ends; later ones end at once.
  void stop();

 private:
  struct Entry {
    std::shared_ptr<Flight> flight;
    std::thread thread;
  };
  void reap() REQUIRES(mutex_);

  Mutex mutex_;
  std::stop_source stop_;
  std::map<std::string, Entry> entries_ GUARDED_BY(mutex_);
  std::vector<std::thread> over_ GUARDED_BY(mutex_);
};

}  // namespace skiff::registry::server
