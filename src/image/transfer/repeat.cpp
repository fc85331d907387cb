#include "image/transfer/repeat.h"

#include <condition_variable>
#include <mutex>

namespace skiff::image {

bool rest(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any condition;
  std::unique_lock lock(mutex);
  condition.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

}  // namespace skiff::image
