#include "spec/users.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "base/strings.h"

namespace skiff::spec {
namespace {

constexpr std::size_t kLongestLine = 4096;
constexpr std::int64_t kMaxId = std::numeric_limits<std::int32_t>::max();

struct PasswdEntry {
  std::string name;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string home;
};

struct GroupEntry {
  std::string name;
  std::uint32_t gid = 0;
  std::string_view members;
};

std::optional<std::uint32_t> parse_id(std::string_view text) {
  const auto number = parse_int(text);
  if (!number || *number < 0 || *number > kMaxId) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

/// Calls `each` with the fields of every line that has at least `fields` of them; until it answers true.
template <typename Function>
bool any_line(std::string_view text, std::size_t fields, const Function& each) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = trim(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.empty() || line.size() > kLongestLine || line[0] == '#') continue;
    std::vector<std::string_view> parts;
    std::string_view rest = line;
    for (std::size_t colon; (colon = rest.find(':')) != std::string_view::npos; rest = rest.substr(colon + 1))
      parts.push_back(rest.substr(0, colon));
    parts.push_back(rest);
    if (parts.size() >= fields && each(parts)) return true;
  }
  return false;
}

std::optional<PasswdEntry> find_user(std::string_view passwd, std::string_view wanted) {
  std::optional<PasswdEntry> found;
  const auto number = parse_id(wanted);
  any_line(passwd, 6, [&](const std::vector<std::string_view>& f) {
    const auto uid = parse_id(f[2]);
    const auto gid = parse_id(f[3]);
    if (!uid || !gid) return false;
    if (f[0] != wanted && !(number && *uid == *number)) return false;
    found = PasswdEntry{std::string(f[0]), *uid, *gid, std::string(f[5])};
    return true;
  });
  return found;
}

bool lists_member(std::string_view members, std::string_view name) {
  while (!members.empty()) {
    const std::size_t comma = members.find(',');
    if (members.substr(0, comma) == name) return true;
    if (comma == std::string_view::npos) break;
    members = members.substr(comma + 1);
  }
  return false;
}

std::optional<std::uint32_t> find_group(std::string_view group, std::string_view wanted) {
  std::optional<std::uint32_t> found;
  const auto number = parse_id(wanted);
  any_line(group, 3, [&](const std::vector<std::string_view>& f) {
    const auto gid = parse_id(f[2]);
    if (!gid || (f[0] != wanted && !(number && *gid == *number))) return false;
    found = gid;
    return true;
  });
  return found ? found : number;
}

std::vector<std::uint32_t> groups_of(std::string_view group, std::string_view user) {
  constexpr std::size_t kMostGroups = 65536;  // NGROUPS_MAX
  std::vector<std::uint32_t> gids;
  any_line(group, 4, [&](const std::vector<std::string_view>& f) {
    const auto gid = parse_id(f[2]);
    if (gid && lists_member(f[3], user)) gids.push_back(*gid);
    return gids.size() >= kMostGroups;
  });
  return gids;
}

}  // namespace

Result<UserIdentity> resolve_user(std::string_view user, const std::vector<std::string>& extra_groups,
                                  std::string_view passwd, std::string_view group) {
  const auto [user_part, group_part] = cut(user, ':');
  const std::string_view wanted = user_part.empty() ? std::string_view("0") : user_part;
  UserIdentity identity;
  std::string name;
  if (const auto entry = find_user(passwd, wanted)) {
    identity.uid = entry->uid;
    identity.gid = entry->gid;
    if (!entry->home.empty()) identity.home = entry->home;
    name = entry->name;
  } else if (const auto number = parse_id(wanted)) {
    identity.uid = *number;
  } else if (parse_int(wanted)) {
    return Error(Kind::InvalidArgument, "uids and gids must be in range 0-2147483647");
  } else {
    return fail(Kind::InvalidArgument, "unable to find user {}: no matching entries in passwd file", wanted);
  }

  if (group_part && !group_part->empty()) {
    const auto gid = find_group(group, *group_part);
    if (!gid)
      return fail(Kind::InvalidArgument, "unable to find group {}: no matching entries in group file",
                  *group_part);
    identity.gid = *gid;
  } else if (!name.empty()) {
    identity.additional_gids = groups_of(group, name);
  }
  for (const std::string& extra : extra_groups) {
    const auto gid = find_group(group, extra);
    if (!gid)
      return fail(Kind::InvalidArgument, "unable to find group {}: no matching entries in group file", extra);
    identity.additional_gids.push_back(*gid);
  }
  auto& gids = identity.additional_gids;
  // The own group too: without it a file that is closed to this group would be open to it as "others" after
  // the program changed its group (CVE-2022-36109).
  gids.push_back(identity.gid);
  std::sort(gids.begin(), gids.end());
  gids.erase(std::unique(gids.begin(), gids.end()), gids.end());
  return identity;
}

}  // namespace skiff::spec
