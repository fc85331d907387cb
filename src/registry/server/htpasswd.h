#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/thread.h"

namespace skiff::registry::server {

/// Users and passwords in Apache's htpasswd file, bcrypt only (`htpasswd -B`). The file is read again when it
/// has changed. Thread-safe.
class Htpasswd {
 public:
  /// InvalidArgument names the line that is none, or whose hash is not bcrypt.
  static Result<std::unique_ptr<Htpasswd>> open(const std::string& path);

  /// False for a wrong password and for an unknown user, in the same time. Checking a password takes tens of
  /// milliseconds the first time; one that was right is remembered as a digest.
  bool verify(const std::string& user, const std::string& password);

 private:
  explicit Htpasswd(std::string path) : path_(std::move(path)) {}
  Result<void> load() REQUIRES(mutex_);
  void refresh();

  const std::string path_;
  Mutex mutex_;
  std::map<std::string, std::string> hashes_ GUARDED_BY(mutex_);
  std::map<std::string, std::string> verified_ GUARDED_BY(mutex_);  ///< user to digest of hash and password
  std::string version_ GUARDED_BY(mutex_);                          ///< of the file that was read
};

}  // namespace skiff::registry::server
