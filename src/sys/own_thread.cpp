#include "sys/own_thread.h"

#include <system_error>
#include <thread>

namespace skiff::sys {

Result<void> in_own_thread(const std::function<void()>& body) {
  try {
    std::thread(body).join();
  } catch (const std::system_error& refused) {
    return Error::from_errno("start a thread", refused.code().value());
  }
  return {};
}

}  // namespace skiff::sys
