#pragma once

#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "base/thread.h"
#include "sys/fd.h"

namespace skiff::registry::server {

struct AccessRecord {
  std::string peer;
  std::string user;
  Time time;
  std::string method;
  std::string target;
  int http_version = 11;
  int status = 0;
  std::uint64_t bytes = 0;  ///< of the answer's body
  std::string referer;
  std::string agent;
};

/// The record in Apache's "combined" format. What a client chose cannot end the line or a quoted part of it.
std::string format_access(const AccessRecord& record);

/// Appends a line for each request to a file, or to standard output for "-". Thread-safe.
class AccessLog {
 public:
  static Result<std::unique_ptr<AccessLog>> open(std::string path);
  void write(const AccessRecord& record);
  /// Opens the file anew, after it was renamed (logrotate(8)). The old one stays in use on failure.
  Result<void> reopen();

 private:
  explicit AccessLog(std::string path) : path_(std::move(path)) {}

  const std::string path_;
  Mutex mutex_;
  sys::Fd file_ GUARDED_BY(mutex_);
};

}  // namespace skiff::registry::server
