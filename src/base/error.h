#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace skiff {

/// What sort of failure this is, for whoever has to react to it. The list is closed: one table turns
/// kinds into HTTP statuses (api/status.h) and one into exit codes (cli/exit_code.h).
enum class Kind : std::uint8_t {
  InvalidArgument,  ///< the caller's request makes no sense; repeating it will not help
  NotFound,         ///< the named thing does not exist
  Conflict,         ///< the named thing is in a state, or in use, that forbids this
  NotModified,      ///< nothing to do: the thing is already as asked
  Forbidden,        ///< the caller may not do this
  Unavailable,      ///< a needed other party (monitor, registry, disk) does not answer
  Cancelled,        ///< the caller went away or asked to stop
  Exhausted,        ///< out of space, addresses, memory, descriptors, or a size limit was passed
  Unsupported,      ///< a known request that this build or this kernel cannot serve
  DataLoss,         ///< stored or received bytes are not what their digest promised
  Internal,         ///< a bug, or a failed system call nobody foresaw
};

/// The kind's name as it stands in logs, for example "not-found".
std::string_view to_string(Kind kind);

/// A failure: its kind, one sentence for a person, and, for system calls, the errno behind it.
/// Copying is cheap enough for the error path; context is added in front, as in "create x: mkdir y: ...".
class Error {
 public:
  Error(Kind kind, std::string message, int code = 0)
      : kind_(kind), code_(code), message_(std::move(message)) {}

  /// An Error from errno: the kind follows the number (ENOENT is NotFound, ENOSPC Exhausted ...) and
  /// the message is "<what>: <strerror>". Pass the number explicitly when other calls came in between.
  static Error from_errno(std::string_view what, int code);

  Kind kind() const { return kind_; }
  /// The errno behind the failure, or 0.
  int code() const { return code_; }
  const std::string& message() const { return message_; }

  /// The same error with "<context>: " in front of its message.
  Error with_context(std::string_view context) const;

 private:
  Kind kind_;
  int code_;
  std::string message_;
};

/// Builds an Error from a format string: `return fail(Kind::NotFound, "No such container: {}", name);`
template <typename... Args>
Error fail(Kind kind, fmt::format_string<Args...> format, Args&&... args) {
  return Error(kind, fmt::format(format, std::forward<Args>(args)...));
}

/// Builds an Error from the current errno: `return fail_errno("open {}", path);` Nothing that may
/// change errno may run between the failed call and this one, argument evaluation included.
template <typename... Args>
Error fail_errno(fmt::format_string<Args...> format, Args&&... args) {
  const int code = errno;
  return Error::from_errno(fmt::format(format, std::forward<Args>(args)...), code);
}

}  // namespace skiff
