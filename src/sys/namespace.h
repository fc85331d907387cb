#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "sys/fd.h"
#include "sys/spawn.h"

namespace skiff::sys {

/// One kind of namespace (namespaces(7)).
struct NamespaceKind {
  std::string_view oci_name;  ///< as in config.json: "network", "mount"
  const char* proc_name;      ///< under /proc/PID/ns: "net", "mnt"
  int flag;                   ///< CLONE_NEW*
};

/// Every kind, in the order in which a process joins them: user first, because it gives the right to join
/// the others, mount last, because it takes the paths away.
const std::array<NamespaceKind, 8>& namespace_kinds();
std::optional<NamespaceKind> find_namespace(std::string_view oci_name);

/// Opens the namespace file `path` and verifies that it is one of `flag`'s kind. InvalidArgument otherwise.
Result<Fd> open_namespace(const std::string& path, int flag);

/// The CLONE_NEW* flags of the namespaces that `process` does not share with the caller, to be joined by
/// setns(pidfd). Those that are shared are not named: joining one's own user namespace is an error, and
/// joining the host's others is not an ordinary user's right. CLONE_NEWTIME is only taken by a process that
/// shares its memory with nobody (setns(2)).
Result<int> joinable_namespaces(const Process& process);

/// A user namespace that nobody lives in, with the lines of uid_map and gid_map (user_namespaces(7)) given:
/// what an id-mapped mount refers to.
Result<Fd> make_user_namespace(const std::string& uid_map, const std::string& gid_map);

}  // namespace skiff::sys
