#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

/// Moments as lists and logs show them.
namespace skiff::cli {

/// What a user gave as a moment ("10m", RFC 3339, seconds) as the API takes it: "seconds.nanoseconds".
/// InvalidArgument: failed to parse value as time or duration.
Result<std::string> moment_text(std::string_view text);
/// "3 hours ago", or "N/A" for no time.
std::string ago(std::int64_t seconds);
/// Go's Time.String() in local time: "2026-01-02 03:04:05 +0000 UTC".
std::string go_time(std::int64_t seconds);

}  // namespace skiff::cli
