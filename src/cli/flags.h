#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

/// Command line flags as Go's pflag reads and prints them, because scripts and people know Docker's ways
/// byte for byte: "-it", "-e a=b", "-ea=b", "--name x", "--name=x", "--rm=false", "--" and the wording of
/// every complaint.
namespace skiff::cli {

/// One flag: how it is spelled, how help shows it, and what a value does.
struct Flag {
  std::string name;
  char shorthand = 0;
  std::string usage;
  std::string type;          ///< shown behind the name: "string", "list", "bytes"; empty for switches
  std::string default_text;  ///< shown as (default ...); a string's comes with its quotes
  bool boolean = false;      ///< "--name" alone means "--name=true"
  bool hidden = false;
  std::string deprecated;  ///< what to use instead; said on standard error when the flag is given
  bool changed = false;
  std::function<Result<void>(std::string_view)> set;

  Flag& hide() { return hidden = true, *this; }
  Flag& deprecate(std::string instead) { return deprecated = std::move(instead), hide(); }
  Flag& show_default(std::string text) { return default_text = std::move(text), *this; }
};

/// The flags of one command. Targets are owned by the caller and must outlive the set.
class FlagSet {
 public:
  using Validator = std::function<Result<std::string>(std::string_view)>;

  Flag& boolean(bool& target, std::string_view name, char shorthand, std::string_view usage);
  Flag& string(std::string& target, std::string_view name, char shorthand, std::string_view usage,
               std::string_view type = "string");
  Flag& integer(std::int64_t& target, std::string_view name, char shorthand, std::string_view usage);
  /// Repeated; each value passes through `validate` if there is one.
  Flag& list(std::vector<std::string>& target, std::string_view name, char shorthand, std::string_view usage,
             Validator validate = {});
  /// pflag's StringSlice: each value is a line of comma separated values.
  Flag& strings(std::vector<std::string>& target, std::string_view name, char shorthand,
                std::string_view usage);
  /// Repeated "key=value"; a later one replaces an earlier one.
  Flag& map(std::map<std::string, std::string>& target, std::string_view name, char shorthand,
            std::string_view usage, Validator validate = {});
  /// A size with binary units; "-1" is allowed where `allow_negative`.
  Flag& bytes(std::int64_t& target, std::string_view name, char shorthand, std::string_view usage,
              bool allow_negative = false);
  Flag& duration(std::int64_t& nanoseconds, std::string_view name, std::string_view usage);
  /// A flag with a type of its own.
  Flag& custom(std::string_view type, std::string_view name, char shorthand, std::string_view usage,
               std::function<Result<void>(std::string_view)> set);

  /// Flags stop at the first positional argument (run, create, exec, top).
  void stop_at_first_argument() { interspersed_ = false; }
  /// Every word is an argument, also those that look like flags: another program reads them.
  void pass_everything() { passes_everything_ = true; }

  struct Parsed {
    std::vector<std::string> arguments;
    bool help = false;                  ///< --help was met; parsing stopped there
    std::vector<std::string> warnings;  ///< lines for standard error about deprecated spellings
  };
  /// Reads `arguments`; the error is the sentence pflag says.
  Result<Parsed> parse(const std::vector<std::string>& arguments);

  Flag* find(std::string_view name);
  bool changed(std::string_view name);
  const std::vector<std::unique_ptr<Flag>>& all() const { return flags_; }
  bool has_visible() const;

  /// The option list as help prints it, wrapped at `columns`.
  std::string usages(int columns) const;

 private:
  Flag& add(Flag flag);
  Flag* find_shorthand(char shorthand);
  Result<void> parse_long(std::string_view argument, std::size_t& next, Parsed& parsed);
  Result<void> parse_short(std::string_view argument, std::size_t& next, Parsed& parsed);
  Result<void> assign(Flag& flag, std::string_view value, Parsed& parsed);

  std::vector<std::unique_ptr<Flag>> flags_;
  const std::vector<std::string>* input_ = nullptr;
  bool interspersed_ = true;
  bool passes_everything_ = false;
};

/// Breaks `text` at `columns`, lines after the first indented by `indent`, as pflag does.
std::string wrap_usage(std::size_t indent, std::size_t columns, std::string text);

/// One line of comma separated values with quotes (RFC 4180).
Result<std::vector<std::string>> parse_csv_line(std::string_view line);

/// strconv.ParseInt / ParseUint with base 0 and their error texts.
Result<std::int64_t> parse_go_int(std::string_view text, std::string_view function = "ParseInt");
Result<std::uint64_t> parse_go_uint(std::string_view text, int bits = 64);
Result<bool> parse_go_bool(std::string_view text);

}  // namespace skiff::cli
