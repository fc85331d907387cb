#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skiff {

/// A moment of wall-clock time with nanoseconds, as Docker's API shows them.
using Time = std::chrono::sys_time<std::chrono::nanoseconds>;

/// Now. The only place that reads the wall clock; tests pass a Clock of their own.
Time now();

/// RFC 3339 with up to nine fractional digits and trailing zeros removed, in UTC, as Go's RFC3339Nano:
/// "2026-01-02T03:04:05.000000006Z". The zero Time is Go's zero time "0001-01-01T00:00:00Z".
std::string format_rfc3339(Time time);

/// As format_rfc3339 with exactly nine digits, the form of log timestamps.
std::string format_rfc3339_fixed(Time time);

/// Reads RFC 3339 with any number of fractional digits and any offset. "0001-01-01T00:00:00Z" is Time{}.
std::optional<Time> parse_rfc3339(std::string_view text);

/// Docker's way to give a moment: RFC 3339 with or without zone, a date, seconds since 1970 with
/// fraction, or a Go duration before `reference` ("10m", "1h30m").
std::optional<Time> parse_timestamp(std::string_view text, Time reference);

/// Go's duration: "300ms", "1h15m30.5s".
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);
/// Go's Duration.String(): "1h15m30.5s", "0s".
std::string format_duration(std::chrono::nanoseconds duration);
/// "About a minute", "3 hours", "Less than a second" (go-units HumanDuration).
std::string human_duration(std::chrono::nanoseconds duration);

}  // namespace skiff
