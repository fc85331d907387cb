#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skiff::engine {

/// Docker's `filters` query parameter: {"status": ["running"]}, or the older {"status": {"running": true}}.
/// Several values of one name mean "any of them"; several names mean "all of them".
class Filters {
 public:
  Filters() = default;
  /// "" is no filter. InvalidArgument when the text is neither of the two forms.
  static Result<Filters> parse(std::string_view json);

  /// InvalidArgument "invalid filter 'x'" for a name that is not among `known`.
  Result<void> check(std::initializer_list<std::string_view> known) const;

  bool empty() const { return values_.empty(); }
  bool has(std::string_view name) const { return values_.find(name) != values_.end(); }
  const std::vector<std::string>& values(std::string_view name) const;
  void add(std::string name, std::string value) { values_[std::move(name)].push_back(std::move(value)); }

  /// True without a filter of that name, or when one of its values is `value`.
  bool exact(std::string_view name, std::string_view value) const;
  /// As exact(), but a value also matches as a prefix (ids).
  bool prefix(std::string_view name, std::string_view value) const;
  /// As exact(), but a value also matches as a part or as a regular expression (names).
  bool pattern(std::string_view name, std::string_view value) const;
  /// Every "label" filter, "key" or "key=value", is met; "label!" ones are all not met.
  bool labels(const std::map<std::string, std::string>& labels) const;
  /// The one boolean value of `name`; `otherwise` without it. InvalidArgument when it is no boolean.
  Result<bool> boolean(std::string_view name, bool otherwise) const;

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
};

}  // namespace skiff::engine
