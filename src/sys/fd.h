#pragma once

#include <unistd.h>

#include <utility>

namespace skiff::sys {

/// Owns one file descriptor and closes it. Every descriptor in Skiff is opened close-on-exec; what a
/// child may keep is passed on by name (sys/spawn.h).
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  explicit operator bool() const { return valid(); }

  /// Gives the descriptor away: the caller closes it.
  int release() { return std::exchange(fd_, -1); }

  /// Closes now. On Linux close() frees the descriptor even when it returns EINTR, so it is never
  /// retried (close(2)).
  void reset() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

}  // namespace skiff::sys
