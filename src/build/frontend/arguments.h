#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::build {

/// Build arguments: what ARG declares, what --build-arg gives, and what is known without either.
class BuildArguments {
 public:
  using Given = std::map<std::string, std::optional<std::string>>;
  explicit BuildArguments(const Given& given) : given_(given) {}

  /// `ARG name[=value]` before the first FROM: visible in FROM lines, and to stages that declare it again.
  void declare_global(const std::string& name, const std::optional<std::string>& value);
  /// `ARG name[=value]` in the stage at hand.
  void declare(const std::string& name, const std::optional<std::string>& value);
  /// A new stage sees nothing of the one before.
  void start_stage() { declared_.clear(); }

  /// In FROM lines.
  std::optional<std::string> global(std::string_view name) const;
  /// In a stage: declared arguments with a value, and given proxies.
  std::optional<std::string> get(std::string_view name) const;
  /// All that get() would answer, except for `hidden()`, sorted by name.
  std::map<std::string, std::string> declared() const;
  /// Given proxies that no ARG declared: commands see them, history and cache do not.
  std::map<std::string, std::string> hidden() const;
  /// Given, but never declared anywhere; sorted.
  std::vector<std::string> unused() const;

 private:
  const Given& given_;
  std::map<std::string, std::optional<std::string>> globals_;
  std::map<std::string, std::optional<std::string>> declared_;
  std::set<std::string> referenced_;
};

}  // namespace skiff::build
