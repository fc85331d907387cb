#pragma once

#include <string>

#include "base/result.h"

namespace skiff::daemon {

/// The file with the engine's pid: made by create(), removed when dropped.
class Pidfile {
 public:
  /// Conflict when the file names a process that lives and is another one.
  static Result<Pidfile> create(const std::string& path);

  Pidfile(Pidfile&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  Pidfile& operator=(Pidfile&&) = delete;
  ~Pidfile();

 private:
  explicit Pidfile(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace skiff::daemon
