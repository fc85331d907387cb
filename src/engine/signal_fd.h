#pragma once

#include <sys/eventfd.h>

#include <memory>
#include <stop_token>

#include "base/result.h"
#include "engine/container.h"
#include "sys/fd.h"

namespace skiff::engine {

/// A descriptor that becomes readable when a container ends or a request is given up: for those who wait in
/// poll(2).
class EndSignal {
 public:
  static Result<std::unique_ptr<EndSignal>> create(std::shared_ptr<Container> container,
                                                   std::stop_token stop) {
    sys::Fd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!fd.valid()) return fail_errno("eventfd");
    return std::unique_ptr<EndSignal>(new EndSignal(std::move(container), std::move(fd), std::move(stop)));
  }
  ~EndSignal() {
    const MutexLock lock(container_->mutex);
    std::erase(container_->wake_fds, fd_.get());
  }
  int fd() const { return fd_.get(); }

 private:
  struct Write {
    int fd;
    void operator()() const { ::eventfd_write(fd, 1); }
  };
  EndSignal(std::shared_ptr<Container> container, sys::Fd fd, std::stop_token stop)
      : container_(std::move(container)), fd_(std::move(fd)), on_stop_(std::move(stop), Write{fd_.get()}) {
    const MutexLock lock(container_->mutex);
    container_->wake_fds.push_back(fd_.get());
  }

  std::shared_ptr<Container> container_;
  sys::Fd fd_;
  std::stop_callback<Write> on_stop_;
};

}  // namespace skiff::engine
