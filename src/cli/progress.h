#pragma once

#include <string>

#include "base/result.h"
#include "cli/output.h"
#include "client/client.h"

namespace skiff::cli {

enum class ProgressStyle : std::uint8_t {
  Auto,   ///< lines that change in place on a terminal, else one after the other
  Plain,  ///< one after the other
  Quiet,  ///< nothing but the failure
};

struct BuildOutcome {
  std::string image_id;  ///< from {"aux": {"ID": ...}}
  std::string text;      ///< what Quiet kept back
};

/// Prints the lines of a pull, bootstrap or build as they come. An {"error": ...} line is the failure.
Result<void> show_progress(client::Stream& stream, Output& out, ProgressStyle style,
                           BuildOutcome* outcome = nullptr);

}  // namespace skiff::cli
