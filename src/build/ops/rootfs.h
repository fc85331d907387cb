#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "spec/mount.h"
#include "spec/users.h"
#include "sys/fd.h"

/// A step's file system, seen from the daemon: mounted for nobody else, and resolved as by a process whose
/// root it is.
namespace skiff::build {

/// The root of a snapshot's mounts, writable if they are; no namespace shows it.
Result<sys::Fd> open_rootfs(const std::vector<spec::Mount>& mounts);

/// USER as the root's own /etc/passwd and /etc/group understand it. Mounts nothing.
Result<spec::UserIdentity> find_user(const std::vector<spec::Mount>& rootfs, const std::string& user);

/// --chown's "user[:group]" as (uid, gid). A user without a group stands for the group of the same name or
/// number. InvalidArgument in Docker's words.
Result<std::pair<uid_t, gid_t>> find_owner(const sys::Fd& root, const std::string& owner);

}  // namespace skiff::build
