#include "base/clock.h"

#include <fmt/format.h>

#include <array>
#include <ctime>

#include "base/strings.h"

namespace skiff {
namespace {

using std::chrono::days;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr std::string_view kZeroTime = "0001-01-01T00:00:00Z";
constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

std::string date_and_time(Time time) {
  const auto day = std::chrono::floor<days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<seconds>(time - day));
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

std::int64_t nanos_of(Time time) { return (time - std::chrono::floor<seconds>(time)).count(); }

/// Consumes exactly `width` digits.
std::optional<int> take_digits(std::string_view& text, std::size_t width) {
  if (text.size() < width) return std::nullopt;
  int number = 0;
  for (const char c : text.substr(0, width)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  text.remove_prefix(width);
  return number;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<nanoseconds> take_fraction(std::string_view& text) {
  std::int64_t nanos = 0;
  std::int64_t unit = kNanosPerSecond / 10;
  if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
  while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
    nanos += (text[0] - '0') * unit;
    unit /= 10;
    text.remove_prefix(1);
  }
  return nanoseconds(nanos);
}

std::optional<Time> take_date(std::string_view& text) {
  const auto year = take_digits(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  // Nanoseconds in 64 bits reach from 1677 to 2262.
  if (!date.ok() || *year < 1678 || *year > 2261) return std::nullopt;
  return Time(std::chrono::sys_days(date));
}

std::optional<nanoseconds> take_clock(std::string_view& text) {
  const auto hours = take_digits(text, 2);
  if (!hours || *hours > 23 || !take(text, ':')) return std::nullopt;
  const auto minutes = take_digits(text, 2);
  if (!minutes || *minutes > 59) return std::nullopt;
  nanoseconds total = std::chrono::hours(*hours) + std::chrono::minutes(*minutes);
  if (!take(text, ':')) return total;
  const auto whole = take_digits(text, 2);
  if (!whole || *whole > 60) return std::nullopt;
  total += seconds(*whole);
  if (take(text, '.')) {
    const auto fraction = take_fraction(text);
    if (!fraction) return std::nullopt;
    total += *fraction;
  }
  return total;
}

/// The zone's offset from UTC: "Z" or "+hh:mm".
std::optional<nanoseconds> take_zone(std::string_view& text) {
  if (take(text, 'Z')) return nanoseconds(0);
  if (text.empty() || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  const int sign = text[0] == '-' ? -1 : 1;
  text.remove_prefix(1);
  const auto hours = take_digits(text, 2);
  if (!hours || !take(text, ':')) return std::nullopt;
  const auto minutes = take_digits(text, 2);
  if (!minutes) return std::nullopt;
  return sign * (std::chrono::hours(*hours) + std::chrono::minutes(*minutes));
}

std::optional<Time> parse_unix_seconds(std::string_view text) {
  const auto [whole, fraction] = cut(text, '.');
  const auto number = parse_int(whole);
  if (!number || *number > 9'000'000'000 || *number < -9'000'000'000) return std::nullopt;
  nanoseconds nanos{0};
  if (fraction) {
    auto rest = *fraction;
    const auto parsed = take_fraction(rest);
    if (!parsed || !rest.empty()) return std::nullopt;
    nanos = *parsed;
  }
  return Time(seconds(*number) + nanos);
}

}  // namespace

Time now() {
  timespec value{};
  clock_gettime(CLOCK_REALTIME, &value);
  return Time(seconds(value.tv_sec) + nanoseconds(value.tv_nsec));
}

std::string format_rfc3339(Time time) {
  if (time == Time{}) return std::string(kZeroTime);
  std::string text = date_and_time(time);
  if (const auto nanos = nanos_of(time); nanos != 0) {
    text += fmt::format(".{:09}", nanos);
    text.erase(text.find_last_not_of('0') + 1);
  }
  return text + 'Z';
}

std::string format_rfc3339_fixed(Time time) {
  return fmt::format("{}.{:09}Z", date_and_time(time), nanos_of(time));
}

std::optional<Time> parse_rfc3339(std::string_view text) {
  if (text == kZeroTime) return Time{};
  const auto date = take_date(text);
  if (!date || (!take(text, 'T') && !take(text, 't') && !take(text, ' '))) return std::nullopt;
  const auto clock = take_clock(text);
  if (!clock) return std::nullopt;
  const auto zone = take_zone(text);
  if (!zone || !text.empty()) return std::nullopt;
  return *date + *clock - *zone;
}

std::optional<Time> parse_timestamp(std::string_view text, Time reference) {
  if (const auto time = parse_rfc3339(text)) return time;
  if (const auto time = parse_unix_seconds(text)) return time;
  if (const auto duration = parse_duration(text)) return reference - *duration;
  const auto date = take_date(text);
  if (!date) return std::nullopt;
  if (text.empty()) return date;
  if (!take(text, 'T')) return std::nullopt;
  const auto clock = take_clock(text);
  if (!clock || !text.empty()) return std::nullopt;
  return *date + *clock;
}

std::optional<nanoseconds> parse_duration(std::string_view text) {
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  if (text == "0") return nanoseconds(0);
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    const auto digits = text.find_first_not_of("0123456789.");
    if (digits == 0 || digits == std::string_view::npos) return std::nullopt;
    const auto number = parse_double(text.substr(0, digits));
    text.remove_prefix(digits);
    const auto unit_end = std::min(text.find_first_of("0123456789."), text.size());
    const auto unit = text.substr(0, unit_end);
    text.remove_prefix(unit_end);
    double scale = 0;
    if (unit == "ns")
      scale = 1;
    else if (unit == "us" || unit == "\u00b5s" || unit == "\u03bcs")
      scale = 1e3;
    else if (unit == "ms")
      scale = 1e6;
    else if (unit == "s")
      scale = 1e9;
    else if (unit == "m")
      scale = 60e9;
    else if (unit == "h")
      scale = 3600e9;
    else
      return std::nullopt;
    if (!number) return std::nullopt;
    total += *number * scale;
    if (total > 9.2e18) return std::nullopt;
  }
  return nanoseconds(static_cast<std::int64_t>(negative ? -total : total));
}

std::string format_duration(nanoseconds duration) {
  std::int64_t count = duration.count();
  if (count == 0) return "0s";
  const std::string sign = count < 0 ? "-" : "";
  if (count < 0) count = -count;
  if (count < kNanosPerSecond) {
    if (count < 1000) return fmt::format("{}{}ns", sign, count);
    if (count < 1'000'000) return fmt::format("{}{}\u00b5s", sign, static_cast<double>(count) / 1e3);
    return fmt::format("{}{}ms", sign, static_cast<double>(count) / 1e6);
  }
  const std::int64_t total_seconds = count / kNanosPerSecond;
  std::string fraction;
  if (const auto nanos = count % kNanosPerSecond; nanos != 0) {
    fraction = fmt::format(".{:09}", nanos);
    fraction.erase(fraction.find_last_not_of('0') + 1);
  }
  std::string text = sign;
  if (total_seconds >= 3600) text += fmt::format("{}h", total_seconds / 3600);
  if (total_seconds >= 60) text += fmt::format("{}m", total_seconds / 60 % 60);
  return text + fmt::format("{}{}s", total_seconds % 60, fraction);
}

std::string human_duration(nanoseconds duration) {
  const auto whole = std::chrono::duration_cast<seconds>(duration).count();
  if (whole < 1) return "Less than a second";
  if (whole == 1) return "1 second";
  if (whole < 60) return fmt::format("{} seconds", whole);
  const auto minutes = whole / 60;
  if (minutes == 1) return "About a minute";
  if (minutes < 60) return fmt::format("{} minutes", minutes);
  const auto hours = (whole + 1800) / 3600;
  if (hours == 1) return "About an hour";
  if (hours < 48) return fmt::format("{} hours", hours);
  if (hours < 24 * 7 * 2) return fmt::format("{} days", hours / 24);
  if (hours < 24 * 30 * 2) return fmt::format("{} weeks", hours / 24 / 7);
  if (hours < 24 * 365 * 2) return fmt::format("{} months", hours / 24 / 30);
  return fmt::format("{} years", whole / 3600 / 24 / 365);
}

}  // namespace skiff
