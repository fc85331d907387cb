#pragma once

#include <string>

#include "base/result.h"
#include "cmd/oci/flags.h"
#include "runtime/checkpoint.h"

namespace skiff::oci {

/// --image-path (default: "checkpoint" here), --work-path and the switches that checkpoint and restore share.
/// InvalidArgument in runc's words.
Result<runtime::Image> image_of(const Flags& flags);

/// Warns with what criu's log says when `error` is a failure of criu itself.
void quote_log(const Error& error, const std::string& path);

}  // namespace skiff::oci
