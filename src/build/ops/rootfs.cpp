#include "build/ops/rootfs.h"

#include "base/strings.h"
#include "snapshot/root_view.h"
#include "sys/detached_mount.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::build {
namespace {

/// A small file of the root; "" when there is none.
std::string read_small(const sys::Fd& root, std::string_view path) {
  const auto file = sys::open_in_root(root, path, O_RDONLY | O_NONBLOCK);
  if (!file.ok()) return {};
  struct stat status = {};
  if (fstat(file->get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  return sys::read_all(*file, spec::kUserFileLimit).value_or("");
}

}  // namespace

Result<sys::Fd> open_rootfs(const std::vector<spec::Mount>& mounts) {
  if (mounts.size() != 1) return fail(Kind::Internal, "a root file system of {} mounts", mounts.size());
  return sys::mount_detached(mounts[0].type, mounts[0].source, mounts[0].options);
}

Result<spec::UserIdentity> find_user(const std::vector<spec::Mount>& rootfs, const std::string& user) {
  const auto view = TRY(snapshot::RootView::open(rootfs));
  const auto passwd = TRY(view.read("/etc/passwd", spec::kUserFileLimit));
  const auto group = TRY(view.read("/etc/group", spec::kUserFileLimit));
  return spec::resolve_user(user, {}, passwd.value_or(""), group.value_or(""));
}

Result<std::pair<uid_t, gid_t>> find_owner(const sys::Fd& root, const std::string& owner) {
  const auto [user, given] = cut(owner, ':');
  const std::string_view group = given && !given->empty() ? *given : user;
  if (const auto uid = parse_uint(user), gid = parse_uint(group);
      uid && gid && *uid <= INT32_MAX && *gid <= INT32_MAX)
    return std::pair(static_cast<uid_t>(*uid), static_cast<gid_t>(*gid));
  const std::string passwd = read_small(root, "etc/passwd");
  const std::string groups = read_small(root, "etc/group");
  const auto identity = spec::resolve_user(user, {}, passwd, groups);
  if (!identity.ok())
    return fail(Kind::InvalidArgument,
                "unable to convert uid/gid chown string to host mapping: can't find uid for user {}: no such "
                "user: {}",
                user, user);
  const auto with_group = spec::resolve_user(fmt::format("0:{}", group), {}, passwd, groups);
  if (!with_group.ok())
    return fail(Kind::InvalidArgument,
                "unable to convert uid/gid chown string to host mapping: can't find gid for group {}: no "
                "such group: {}",
                group, group);
  return std::pair(static_cast<uid_t>(identity->uid), static_cast<gid_t>(with_group->gid));
}

}  // namespace skiff::build
