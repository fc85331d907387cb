#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace skiff::oci {

struct LogOptions {
  std::string path;  ///< "" is standard error
  std::string format = "text";
  bool debug = false;
};

/// InvalidArgument: an unknown format. Until it is called, lines go to standard error as text.
Result<void> set_log(const LogOptions& options);
/// One line to the log; errors are also said in plain words on standard error, as callers of runc expect
/// both.
void write_log(std::string_view level, const std::string& text);

}  // namespace skiff::oci
