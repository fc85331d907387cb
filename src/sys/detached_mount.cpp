#include "sys/detached_mount.h"

#include <sched.h>
#include <sys/mount.h>

#include "base/strings.h"
#include "sys/file.h"
#include "sys/overlay.h"
#include "sys/own_thread.h"
#include "sys/syscalls.h"

namespace skiff::sys {
namespace {

int configure(const Fd& context, const FilesystemOption& option) {
  return option.value
             ? raw::fsconfig(context.get(), FSCONFIG_SET_STRING, option.key.c_str(), option.value->c_str(), 0)
             : raw::fsconfig(context.get(), FSCONFIG_SET_FLAG, option.key.c_str(), nullptr, 0);
}

/// An older kernel mounts an overlay somewhere first. That place is in a namespace that only a thread of its
/// own is in, and which goes with it.
Result<Fd> mount_old_overlay(const std::vector<FilesystemOption>& options, bool read_only) {
  Fd tree;
  int code = 0;
  TRY(in_own_thread([&] {
    if (::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0)
      tree = Fd(mount_overlay_page(options, read_only));
    code = errno;
  }));
  if (!tree) return Error::from_errno("mount overlay", code);
  return tree;
}

}  // namespace

Result<Fd> mount_detached(const std::string& type, const std::string& source,
                          const std::vector<std::string>& options) {
  if (type == "bind" || type == "rbind") return open_directory(source);
  std::vector<FilesystemOption> given;
  bool read_only = false;
  for (const std::string& option : options) {
    const auto [key, value] = cut(option, '=');
    if (option == "ro") read_only = true;
    if (option != "ro" && option != "rw")
      given.push_back({std::string(key), value ? std::optional<std::string>(*value) : std::nullopt});
  }
  const Fd context(raw::fsopen(type.c_str()));
  if (!context) return fail_errno("fsopen {}", type);
  if (type == "overlay" && overlay_reads_late(context.get(), given))
    return mount_old_overlay(given, read_only);
  if (raw::fsconfig(context.get(), FSCONFIG_SET_STRING, "source",
                    source.empty() ? type.c_str() : source.c_str(), 0) < 0)
    return fail_errno("mount {}: source", type);
  for (const auto& option : given) {
    if (configure(context, option) == 0) continue;
    if (errno == EINVAL && option.key == "lowerdir+") return mount_old_overlay(given, read_only);
    return fail_errno("mount {}: option {}{}", type, option.key, option.value ? "=" + *option.value : "");
  }
  if (raw::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0)
    return fail_errno("mount {}", type);
  Fd root(raw::fsmount(context.get(), read_only ? MOUNT_ATTR_RDONLY : 0));
  if (!root) return fail_errno("mount {}: fsmount", type);
  return root;
}

}  // namespace skiff::sys
