#pragma once

#include <string>

#include "base/result.h"
#include "sys/fd.h"

namespace skiff::monitor {

/// Where an external runtime delivers the master of the pty that it has opened in the container
/// (`--console-socket`, as runc defined it).
class ConsoleSocket {
 public:
  /// Listens as `name` in `directory`. The socket's file lives as long as the object.
  static Result<ConsoleSocket> create(const std::string& directory, const std::string& name);
  ConsoleSocket(ConsoleSocket&&) noexcept = default;
  ConsoleSocket& operator=(ConsoleSocket&&) = delete;
  ~ConsoleSocket();

  /// For the runtime: short enough for a socket's address, however long the directory's name is.
  std::string path() const;
  /// What the runtime has sent; to be called once it has ended, because this does not wait.
  Result<sys::Fd> receive() const;

 private:
  ConsoleSocket(sys::Fd directory, sys::Fd listener, std::string name)
      : directory_(std::move(directory)), listener_(std::move(listener)), name_(std::move(name)) {}

  sys::Fd directory_;
  sys::Fd listener_;
  std::string name_;
};

}  // namespace skiff::monitor
