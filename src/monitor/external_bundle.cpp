#include "monitor/external_bundle.h"

#include <fcntl.h>
#include <linux/mount.h>

#include <algorithm>

#include "base/json.h"
#include "sys/detached_mount.h"
#include "sys/syscalls.h"

namespace skiff::monitor {
namespace {

/// What runtimes of the last years take; some refuse a later minor version outright, all pass over members
/// that they do not know.
constexpr const char* kSpecVersion = "1.0.2";
/// Where Docker's init is in every container that has one.
constexpr const char* kInit = "/sbin/docker-init";

void add_init(spec::oci::Runtime& config, const std::string& init) {
  config.mounts.emplace_back(kInit, "bind", init, std::vector<std::string>{"bind", "ro"});
  auto& words = config.process->args;
  words.insert(words.begin(), {kInit, "--"});
}

/// A copy of the mount at `source`, attached nowhere.
Result<sys::Fd> bind_tree(const spec::Mount& mount) {
  sys::Fd tree(sys::raw::open_tree(AT_FDCWD, mount.source.c_str(), OPEN_TREE_CLONE));
  if (!tree) return fail_errno("bind {}", mount.source);
  const auto& options = mount.options;
  if (std::find(options.begin(), options.end(), "ro") != options.end() &&
      sys::raw::mount_setattr(tree.get(), "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY, 0) != 0)
    return fail_errno("bind {} read-only", mount.source);
  return tree;
}

}  // namespace

Result<std::string> external_config(const runtime::CreateOptions& options, const std::string& rootfs,
                                    const std::string& init) {
  spec::oci::Runtime config = options.config;
  config.oci_version = kSpecVersion;
  if (!config.root) config.root.emplace();
  config.root->path = rootfs;
  if (!config.linux_) config.linux_.emplace();
  if (!options.systemd_cgroup)
    config.linux_->cgroups_path = "/" + runtime::cgroup_path_of(config, options.id);
  if (options.init) add_init(config, init);
  json::Value value = json::to_value(config);
  if (!options.seccomp_profile.empty())
    value.as_object()["linux"].as_object()["seccomp"] =
        TRY_CONTEXT(json::parse(options.seccomp_profile), "seccomp profile");
  return json::to_text(value);
}

Result<void> mount_rootfs(sys::PrivateMounts& mounts, const spec::Mount& root, const std::string& rootfs) {
  const sys::Fd tree = root.type == "bind" ? TRY(bind_tree(root))
                                           : TRY(sys::mount_detached(root.type, root.source, root.options));
  return mounts.attach_unseen(tree, rootfs);
}

}  // namespace skiff::monitor
