#include <algorithm>
#include <optional>

#include "base/strings.h"
#include "spec/defaults.h"

namespace skiff::spec {
namespace {

using List = std::vector<std::string>;

constexpr std::string_view kTable =
#include "spec/data/seccomp.table"
    ;

bool contains(const List& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

struct KernelVersion {
  int major = 0;
  int minor = 0;

  friend auto operator<=>(const KernelVersion&, const KernelVersion&) = default;
};

std::optional<KernelVersion> parse_kernel(std::string_view text) {
  const auto [major, minor] = cut(text, '.');
  const auto a = parse_int(major);
  const auto b = parse_int(minor.value_or("0"));
  if (!a || !b) return std::nullopt;
  return KernelVersion{static_cast<int>(*a), static_cast<int>(*b)};
}

/// When a rule applies.
struct Conditions {
  List arches;
  List caps;
  std::string min_kernel;
};

void describe(json::Fields& f, Conditions& conditions) {
  f("arches", conditions.arches);
  f("caps", conditions.caps);
  f("minKernel", conditions.min_kernel);
}

struct ConditionalRule {
  oci::SeccompRule rule;
  std::string name;  ///< the old way to give one call
  Conditions includes;
  Conditions excludes;
};

void describe(json::Fields& f, ConditionalRule& rule) {
  describe(f, rule.rule);
  f("name", rule.name);
  f("includes", rule.includes);
  f("excludes", rule.excludes);
}

struct Architecture {
  std::string architecture;
  List sub_architectures;
};

void describe(json::Fields& f, Architecture& architecture) {
  f("architecture", architecture.architecture);
  f("subArchitectures", architecture.sub_architectures);
}

/// Docker's profile format: a filter with conditions.
struct Profile {
  oci::Seccomp base;
  std::vector<Architecture> arch_map;
  std::vector<ConditionalRule> rules;
};

void describe(json::Fields& f, Profile& profile) {
  f("defaultAction", profile.base.default_action);
  f("defaultErrnoRet", profile.base.default_errno_ret);
  f("architectures", profile.base.architectures);
  f("flags", profile.base.flags);
  f("listenerPath", profile.base.listener_path);
  f("listenerMetadata", profile.base.listener_metadata);
  f("archMap", profile.arch_map);
  f("syscalls", profile.rules);
}

struct Machine {
  const List& capabilities;
  std::string_view architecture;
  KernelVersion kernel;
};

bool applies(const ConditionalRule& rule, const Machine& machine) {
  const auto has_cap = [&](const std::string& cap) { return contains(machine.capabilities, cap); };
  const auto& in = rule.includes;
  const auto& out = rule.excludes;
  if (contains(out.arches, machine.architecture)) return false;
  if (std::any_of(out.caps.begin(), out.caps.end(), has_cap)) return false;
  if (const auto kernel = parse_kernel(out.min_kernel); kernel && machine.kernel >= *kernel) return false;
  if (!in.arches.empty() && !contains(in.arches, machine.architecture)) return false;
  if (!std::all_of(in.caps.begin(), in.caps.end(), has_cap)) return false;
  if (const auto kernel = parse_kernel(in.min_kernel); kernel && machine.kernel < *kernel) return false;
  return true;
}

/// GOARCH as libseccomp names it.
std::string_view seccomp_architecture(std::string_view architecture) {
  static constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"amd64", "SCMP_ARCH_X86_64"},    {"arm64", "SCMP_ARCH_AARCH64"},      {"386", "SCMP_ARCH_X86"},
      {"arm", "SCMP_ARCH_ARM"},         {"ppc64le", "SCMP_ARCH_PPC64LE"},    {"s390x", "SCMP_ARCH_S390X"},
      {"riscv64", "SCMP_ARCH_RISCV64"}, {"loong64", "SCMP_ARCH_LOONGARCH64"}};
  for (const auto& [go, name] : kNames)
    if (go == architecture) return name;
  return "";
}

oci::Seccomp make_concrete(const Profile& profile, const Machine& machine) {
  oci::Seccomp out = profile.base;
  for (const auto& architecture : profile.arch_map) {
    if (architecture.architecture != seccomp_architecture(machine.architecture)) continue;
    out.architectures = {architecture.architecture};
    out.architectures.insert(out.architectures.end(), architecture.sub_architectures.begin(),
                             architecture.sub_architectures.end());
    break;
  }
  for (const auto& rule : profile.rules)
    if (applies(rule, machine)) out.syscalls.push_back(rule.rule);
  return out;
}

// The built-in table. Its syntax is explained in its head. It is our own file, so a mistake in it is found
// by the unit tests, not reported at run time.

std::uint64_t number(std::string_view text) {
  return std::stoull(std::string(text), nullptr, text.starts_with("0x") ? 16 : 10);
}

oci::SeccompArgument table_argument(std::string_view text) {
  text.remove_prefix(std::string_view("arg").size());
  oci::SeccompArgument argument;
  argument.index = static_cast<std::uint32_t>(text.front() - '0');
  text.remove_prefix(1);
  if (text.front() == '&') {
    const auto end = text.find("==");
    argument.op = "SCMP_CMP_MASKED_EQ";
    argument.value = number(text.substr(1, end - 1));
    argument.value_two = number(text.substr(end + 2));
  } else {
    argument.op = text.front() == '!' ? "SCMP_CMP_NE" : "SCMP_CMP_EQ";
    argument.value = number(text.substr(2));
  }
  return argument;
}

ConditionalRule table_rule(std::string_view header) {
  ConditionalRule rule;
  for (const auto& word : split(header, ' ')) {
    const auto [name, value] = cut(word, '=');
    if (word.starts_with("arg"))
      rule.rule.args.push_back(table_argument(word));
    else if (name == "allow")
      rule.rule.action = "SCMP_ACT_ALLOW";
    else if (name == "arch")
      rule.includes.arches = split(*value, ',');
    else if (name == "not-arch")
      rule.excludes.arches = split(*value, ',');
    else if (name == "cap")
      rule.includes.caps.emplace_back(*value);
    else if (name == "not-cap")
      rule.excludes.caps.emplace_back(*value);
    else if (name == "kernel")
      rule.includes.min_kernel = *value;
    else if (name == "errno") {
      rule.rule.action = "SCMP_ACT_ERRNO";
      rule.rule.errno_ret = static_cast<std::uint32_t>(number(*value));
    }
  }
  return rule;
}

Profile read_table(std::string_view table) {
  Profile profile;
  profile.base.default_action = "SCMP_ACT_ERRNO";
  profile.base.default_errno_ret = 1;  // EPERM
  for (const auto& raw : split(table, '\n')) {
    const auto line = trim(raw);
    if (line.empty() || line.front() == '#') continue;
    if (line.front() == '[') {
      profile.rules.push_back(table_rule(line.substr(1, line.size() - 2)));
    } else if (line.starts_with("arch ")) {
      auto words = split(*cut(line, ':').second, ' ');
      Architecture architecture{words.at(1), {words.begin() + 2, words.end()}};
      profile.arch_map.push_back(std::move(architecture));
    } else {
      auto& names = profile.rules.back().rule.names;
      for (auto& name : split(line, ' ')) names.push_back(std::move(name));
    }
  }
  return profile;
}

}  // namespace

oci::Seccomp default_seccomp(const List& capabilities, std::string_view architecture, int kernel_major,
                             int kernel_minor) {
  static const Profile profile = read_table(kTable);
  return make_concrete(profile, {capabilities, architecture, {kernel_major, kernel_minor}});
}

Result<oci::Seccomp> seccomp_from_profile(std::string_view text, const List& capabilities,
                                          std::string_view architecture, int kernel_major, int kernel_minor) {
  auto decoded = json::decode<Profile>(text);
  if (!decoded.ok()) return decoded.error().with_context("decoding seccomp profile failed");
  Profile profile = *std::move(decoded);
  if (!profile.base.architectures.empty() && !profile.arch_map.empty())
    return Error(Kind::InvalidArgument,
                 "both 'architectures' and 'archMap' are specified in the seccomp profile, use either "
                 "'architectures' or 'archMap'");
  for (auto& rule : profile.rules) {
    if (rule.name.empty()) continue;
    if (!rule.rule.names.empty())
      return Error(
          Kind::InvalidArgument,
          "both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'");
    rule.rule.names.push_back(rule.name);
  }
  return make_concrete(profile, {capabilities, architecture, {kernel_major, kernel_minor}});
}

}  // namespace skiff::spec
