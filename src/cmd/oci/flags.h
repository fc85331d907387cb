#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skiff::oci {

/// One option of a command: "--bundle value, -b value".
struct Flag {
  enum class Type : std::uint8_t { Switch, Text, Number, Numbers, Duration };
  std::string_view name;
  char letter = 0;
  Type type = Type::Switch;
  std::string_view help;  ///< empty: known, but not shown
};

/// What stood on a command line.
class Flags {
 public:
  /// Reads options up to the first argument that is none ("--" ends them too), as Go's flag package does for
  /// runc. Every command knows "--help, -h". InvalidArgument: `flag provided but not defined: -x`, `invalid
  /// value "x" for flag -interval: parse error`.
  static Result<Flags> parse(std::span<const std::string> words, std::span<const Flag> known);
  /// The same where options may stand behind the arguments too, as runc takes them.
  static Result<Flags> parse_anywhere(std::span<const std::string> words, std::span<const Flag> known);

  bool has(std::string_view name) const { return values_.contains(std::string(name)); }
  /// The last value given, or `otherwise`.
  std::string get(std::string_view name, std::string otherwise = {}) const;
  std::vector<std::string> all(std::string_view name) const;
  const std::vector<std::string>& arguments() const { return arguments_; }

 private:
  std::map<std::string, std::vector<std::string>> values_;
  std::vector<std::string> arguments_;
};

/// What --preserve-fds asks for and `more`, as the number of descriptors from 3 on that the program gets.
/// Those that nobody opened are taken by /dev/null until execve: a number that is free now would be one of
/// the runtime's own later, and lead out of the container.
Result<int> preserved_descriptors(const Flags& flags, std::int64_t more = 0);

}  // namespace skiff::oci
