#include "build/frontend/arguments.h"

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "spec/platform.h"

namespace skiff::build {
namespace {

bool is_proxy(std::string_view name) {
  static constexpr std::array<std::string_view, 5> kProxies = {"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY",
                                                               "NO_PROXY", "ALL_PROXY"};
  return std::any_of(kProxies.begin(), kProxies.end(),
                     [name](std::string_view proxy) { return name == proxy || name == to_lower(proxy); });
}

/// The platform arguments that have a value once they are declared.
std::optional<std::string> platform_argument(std::string_view name) {
  for (const std::string_view prefix : {"BUILD", "TARGET"}) {
    if (!name.starts_with(prefix)) continue;
    const std::string_view rest = name.substr(prefix.size());
    const spec::Platform& host = spec::Platform::host();
    if (rest == "PLATFORM") return host.to_string();
    if (rest == "OS") return host.os;
    if (rest == "ARCH") return host.architecture;
    if (rest == "VARIANT") return host.variant;
  }
  return std::nullopt;
}

std::optional<std::string> value_in(const BuildArguments::Given& given, std::string_view name) {
  const auto found = given.find(std::string(name));
  return found == given.end() ? std::nullopt : found->second;
}

}  // namespace

void BuildArguments::declare_global(const std::string& name, const std::optional<std::string>& value) {
  globals_[name] = value;
  referenced_.insert(name);
}

void BuildArguments::declare(const std::string& name, const std::optional<std::string>& value) {
  declared_[name] = value;
  referenced_.insert(name);
}

std::optional<std::string> BuildArguments::global(std::string_view name) const {
  const auto found = globals_.find(std::string(name));
  if (found == globals_.end()) return platform_argument(name);
  if (auto given = value_in(given_, name)) return given;
  return found->second ? found->second : platform_argument(name);
}

std::optional<std::string> BuildArguments::get(std::string_view name) const {
  const auto found = declared_.find(std::string(name));
  if (found == declared_.end()) return is_proxy(name) ? value_in(given_, name) : std::nullopt;
  if (auto given = value_in(given_, name)) return given;
  return found->second ? found->second : global(name);
}

std::map<std::string, std::string> BuildArguments::declared() const {
  std::map<std::string, std::string> out;
  for (const auto& [name, unused] : declared_)
    if (auto value = get(name)) out.emplace(name, *std::move(value));
  return out;
}

std::map<std::string, std::string> BuildArguments::hidden() const {
  std::map<std::string, std::string> out;
  for (const auto& [name, value] : given_)
    if (value && is_proxy(name) && !declared_.contains(name)) out.emplace(name, *value);
  return out;
}

std::vector<std::string> BuildArguments::unused() const {
  std::vector<std::string> out;
  for (const auto& [name, value] : given_)
    if (!referenced_.contains(name) && !is_proxy(name)) out.push_back(name);
  return out;
}

}  // namespace skiff::build
