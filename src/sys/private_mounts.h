#pragma once

#include <string>

#include "base/result.h"
#include "sys/fd.h"

/// A mount namespace for a while: programs that are started meanwhile see the mounts made in it, nobody else
/// does, and it is gone with the last of them.
namespace skiff::sys {

/// While it lives, this process is in a copy of its mount namespace, which stays the peer of the original:
/// what the host mounts and unmounts happens here too, and the other way round for what is not attached by
/// attach_unseen(). For programs with one thread: a mount namespace cannot be changed otherwise (setns(2)).
class PrivateMounts {
 public:
  /// Forbidden without CAP_SYS_ADMIN.
  static Result<PrivateMounts> enter();
  /// Back in the namespace, root and "/" as working directory from before. A process that could not get back
  /// would read and write other files than it believes, so it ends.
  ~PrivateMounts();
  PrivateMounts(PrivateMounts&&) noexcept = default;
  PrivateMounts& operator=(PrivateMounts&&) = delete;

  /// Attaches the detached mount `tree` to the directory `path`, in this namespace alone, also where `path`
  /// lies on a mount that is shared with the host. That mount stays shared for everything else.
  Result<void> attach_unseen(const Fd& tree, const std::string& path);

 private:
  PrivateMounts(Fd mounts, Fd root) : mounts_(std::move(mounts)), root_(std::move(root)) {}

  Fd mounts_;  ///< the namespace from before, and the root in it
  Fd root_;
};

}  // namespace skiff::sys
