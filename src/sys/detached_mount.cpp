#include "sys/detached_mount.h"

#include <string.h>

#include "base/strings.h"
#include "sys/file.h"
#include "sys/syscalls.h"

namespace skiff::sys {
namespace {

Result<void> configure(const Fd& context, const std::string& option, unsigned& attributes) {
  if (option == "ro") attributes |= MOUNT_ATTR_RDONLY;
  if (option == "ro" || option == "rw") return {};
  const auto [name, value] = cut(option, '=');
  const std::string key(name);
  const std::string text(value.value_or(""));
  const int done = value ? raw::fsconfig(context.get(), FSCONFIG_SET_STRING, key.c_str(), text.c_str(), 0)
                         : raw::fsconfig(context.get(), FSCONFIG_SET_FLAG, key.c_str(), nullptr, 0);
  if (done < 0) return fail_errno("mount option {}", option);
  return {};
}

}  // namespace

Result<Fd> mount_detached(const std::string& type, const std::string& source,
                          const std::vector<std::string>& options) {
  if (type == "bind" || type == "rbind") return open_directory(source);
  const Fd context(raw::fsopen(type.c_str()));
  if (!context) return fail_errno("fsopen {}", type);
  if (raw::fsconfig(context.get(), FSCONFIG_SET_STRING, "source",
                    source.empty() ? type.c_str() : source.c_str(), 0) < 0)
    return fail_errno("mount {}: source", type);
  unsigned attributes = 0;
  for (const std::string& option : options)
    TRY_CONTEXT(configure(context, option, attributes), "mount {}", type);
  if (raw::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0)
    return fail_errno("mount {}", type);
  Fd root(raw::fsmount(context.get(), attributes));
  if (!root) return fail_errno("mount {}: fsmount", type);
  return root;
}

}  // namespace skiff::sys
