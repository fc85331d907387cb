#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/flags.h"

namespace skiff::cli {

class Cli;
using Arguments = std::vector<std::string>;

/// How many positional arguments a command takes.
struct Arity {
  enum class Kind : std::uint8_t { Any, None, Exactly, AtLeast, AtMost, Between };
  Kind kind = Kind::Any;
  std::size_t low = 0;
  std::size_t high = 0;
};
constexpr Arity any_arguments() { return {}; }
constexpr Arity no_arguments() { return {Arity::Kind::None}; }
constexpr Arity exactly(std::size_t n) { return {Arity::Kind::Exactly, n, n}; }
constexpr Arity at_least(std::size_t n) { return {Arity::Kind::AtLeast, n}; }
constexpr Arity at_most(std::size_t n) { return {Arity::Kind::AtMost, 0, n}; }

/// One run of one command: its flags' targets are members, set before run() is called.
class Command {
 public:
  Command() = default;
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;
  virtual ~Command() = default;

  /// Does the work and gives the exit code. An error is printed as it is and ends the program with 1.
  virtual Result<int> run(Cli& cli, const Arguments& arguments) = 0;

  FlagSet flags;
};

using MakeCommand = std::unique_ptr<Command> (*)();

template <typename T>
std::unique_ptr<Command> make_command() {
  return std::make_unique<T>();
}

/// One row of the command table (tree.cpp).
struct Entry {
  std::string_view path;       ///< "container ls"
  std::string_view arguments;  ///< behind the path in the usage line
  std::string_view summary;    ///< one line, in lists
  std::string_view twins;      ///< all spellings, "container ls|container list|ps"; empty when there is one
  Arity arity;
  MakeCommand make;
  std::string_view description;  ///< the help's text when it says more than the summary
  std::string_view usage;        ///< a second usage line
  bool hidden = false;           ///< in no list
  /// How many arguments there have to be when that depends on them, in place of `arity`.
  Arity (*arity_of)(const Arguments& arguments) = nullptr;

  std::string_view name() const { return path.substr(path.rfind(' ') + 1); }
};

/// A command that only groups others.
struct Group {
  std::string_view name;
  std::string_view summary;
};

const std::vector<Entry>& entries();
const std::vector<Group>& groups();
/// The common commands, in the order help lists them.
const std::vector<std::string_view>& common_commands();

/// The row that `words` start with, by any of its spellings, and how many words that took.
std::pair<const Entry*, std::size_t> find_entry(const Arguments& words);
const Group* find_group(std::string_view name);

}  // namespace skiff::cli
