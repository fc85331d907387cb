#include "spec/docker/progress_bar.h"

#include <algorithm>

#include "base/clock.h"
#include "base/strings.h"

namespace skiff::spec::docker {
namespace {

constexpr int kBarWidth = 50;
constexpr int kLeastColumnsForBar = 110;
constexpr int kLeastColumnsForTime = 50;

}  // namespace

std::string progress_bar(const ProgressDetail& detail, int columns,
                         std::optional<std::chrono::nanoseconds> elapsed) {
  if (detail.current <= 0 && detail.total <= 0) return "";
  const std::string current = human_size(static_cast<double>(detail.current));
  if (detail.total <= 0) return fmt::format("{:>8}", current);
  const int share =
      static_cast<int>(static_cast<double>(detail.current) / static_cast<double>(detail.total) * 100) / 2;
  const int done = std::min(share, kBarWidth);
  std::string out;
  if (columns > kLeastColumnsForBar)
    out = fmt::format("[{}>{}] ", std::string(static_cast<std::size_t>(done), '='),
                      std::string(static_cast<std::size_t>(kBarWidth - done), ' '));
  out += fmt::format("{:>8}", current);
  if (detail.current <= detail.total) out += "/" + human_size(static_cast<double>(detail.total));
  if (elapsed && detail.current > 0 && share < kBarWidth && columns > kLeastColumnsForTime) {
    const auto each = static_cast<double>(elapsed->count()) / static_cast<double>(detail.current);
    const auto left = std::chrono::nanoseconds(
        static_cast<std::int64_t>(each * static_cast<double>(detail.total - detail.current)));
    out += " " + format_duration(std::chrono::round<std::chrono::seconds>(left));
  }
  return out;
}

}  // namespace skiff::spec::docker
