#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/flags.h"
#include "cli/output.h"
#include "client/client.h"

namespace skiff::cli {

enum class ProgressStyle : std::uint8_t {
  Auto,   ///< lines that change in place on a terminal, else one after the other
  Plain,  ///< one after the other
  Quiet,  ///< nothing but the failure
  Json,   ///< the engine's lines as they are, one JSON object each, the failure too
};

/// --progress: "auto" ("tty"), "plain", "quiet" ("none"), "json". InvalidArgument for anything else.
Result<ProgressStyle> parse_progress_style(std::string_view text);
/// The flag itself.
void add_progress_flag(FlagSet& flags, std::string& target);

/// The lines of a stream of progress as Docker's client shows them: on a terminal those of one part keep
/// their place and have a bar, elsewhere bars are left out.
class ProgressLines {
 public:
  using Write = std::function<void(std::string_view)>;
  ProgressLines(Write write, bool in_place) : write_(std::move(write)), in_place_(in_place) {}
  void show(const spec::docker::ProgressLine& line);

 private:
  void show_in_place(const std::string& id, const std::string& text);

  const Write write_;
  const bool in_place_;
  std::size_t printed_ = 0;                    ///< lines since the last that was none of a part
  std::map<std::string, std::size_t> places_;  ///< by the part's id
};

struct BuildOutcome {
  std::string image_id;  ///< from {"aux": {"ID": ...}}
  std::string text;      ///< what Quiet kept back
};

/// Prints the lines of a pull, load, bootstrap or build as they come. An {"error": ...} line is the failure.
class ProgressPrinter {
 public:
  ProgressPrinter(Output& out, ProgressStyle style, BuildOutcome* outcome = nullptr);
  Result<void> take(json::Value line);
  /// All that are left.
  Result<void> take_all(client::Stream& stream);

 private:
  Output& out_;
  const ProgressStyle style_;
  BuildOutcome* outcome_;
  ProgressLines lines_;
};

/// ProgressPrinter::take_all().
Result<void> show_progress(client::Stream& stream, Output& out, ProgressStyle style,
                           BuildOutcome* outcome = nullptr);

}  // namespace skiff::cli
