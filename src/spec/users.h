#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skiff::spec {

/// The identity a program gets in a container.
struct UserIdentity {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> additional_gids;  ///< with `gid`, as Docker has it; sorted
  std::string home = "/";
};

/// Resolves Docker's USER ("", "name", "uid", "name:group", "uid:gid") with the texts of the container's own
/// /etc/passwd and /etc/group, which are hostile: lines that are malformed or longer than 4 KiB are passed
/// over, numbers out of range too. `extra_groups` are --group-add names or numbers. InvalidArgument: "unable
/// to find user x: no matching entries in passwd file".
Result<UserIdentity> resolve_user(std::string_view user, const std::vector<std::string>& extra_groups,
                                  std::string_view passwd, std::string_view group);

/// At most this much of those files is ever read.
constexpr std::size_t kUserFileLimit = 4 << 20;

}  // namespace skiff::spec
