#include "cli/times.h"

#include <ctime>

#include "base/strings.h"

namespace skiff::cli {

namespace {

std::tm local(std::int64_t seconds) {
  const auto moment = static_cast<std::time_t>(seconds);
  std::tm parts{};
  ::localtime_r(&moment, &parts);
  return parts;
}

std::string zone(const std::tm& parts, std::string_view separator) {
  const long minutes = parts.tm_gmtoff / 60;
  return fmt::format("{}{:02}{}{:02}", minutes < 0 ? '-' : '+', std::abs(minutes) / 60, separator,
                     std::abs(minutes) % 60);
}

std::string date_and_time(const std::tm& p, char between) {
  return fmt::format("{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}", p.tm_year + 1900, p.tm_mon + 1, p.tm_mday,
                     between, p.tm_hour, p.tm_min, p.tm_sec);
}

}  // namespace

Result<std::string> moment_text(std::string_view text) {
  const auto time = parse_timestamp(text, now());
  if (!time) return fail(Kind::InvalidArgument, "failed to parse value as time or duration: {}", quote(text));
  const std::int64_t count = time->time_since_epoch().count();
  return fmt::format("{}.{:09}", count / 1'000'000'000, count % 1'000'000'000);
}

std::string ago(std::int64_t seconds) {
  const auto elapsed = now().time_since_epoch() - std::chrono::seconds(seconds);
  return human_duration(elapsed) + " ago";
}

std::string go_time(std::int64_t seconds) {
  const std::tm parts = local(seconds);
  return fmt::format("{} {} {}", date_and_time(parts, ' '), zone(parts, ""),
                     parts.tm_zone ? parts.tm_zone : "UTC");
}

}  // namespace skiff::cli
