#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "cli/cli.h"
#include "cli/progress.h"

namespace skiff::cli {

/// What a stream of progress lines came to.
struct ProgressEnd {
  int code = 0;
  std::string error;  ///< empty when all went well
};

/// Reads progress lines to their end: text goes to `write`, what is said of a pull to `lines`, "aux" objects
/// to `aux`; `raw` sees every line as it came.
Result<ProgressEnd> read_progress(client::Stream& stream, ProgressLines& lines,
                                  const std::function<void(std::string_view)>& write,
                                  const std::function<void(const json::Value&)>& aux = {},
                                  const std::function<void(const json::Value&)>& raw = {});

}  // namespace skiff::cli
