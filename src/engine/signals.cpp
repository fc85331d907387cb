#include "engine/signals.h"

#include <csignal>
#include <cstring>

#include "base/strings.h"

namespace skiff::engine {
namespace {

constexpr int kLowestRealTime = 34;  // what glibc leaves to programs; SIGRTMIN is a call, and the same here
constexpr int kHighestRealTime = 64;

int named_signal(std::string_view name) {
  for (int number = 1; number < 32; ++number) {
    const char* abbreviation = ::sigabbrev_np(number);
    if (abbreviation && name == abbreviation) return number;
  }
  if (name == "CLD") return SIGCHLD;
  if (name == "POLL") return SIGPOLL;
  if (name == "IOT") return SIGABRT;
  if (name == "RTMIN") return kLowestRealTime;
  if (name == "RTMAX") return kHighestRealTime;
  for (const std::string_view base : {"RTMIN+", "RTMAX-"}) {
    if (!name.starts_with(base)) continue;
    const auto offset = parse_int(name.substr(base.size()));
    if (!offset || *offset < 0 || *offset > kHighestRealTime - kLowestRealTime) return -1;
    return static_cast<int>(base == "RTMIN+" ? kLowestRealTime + *offset : kHighestRealTime - *offset);
  }
  return -1;
}

}  // namespace

Result<int> parse_signal(std::string_view text) {
  if (const auto number = parse_int(text)) {
    if (*number > 0 && *number <= kHighestRealTime) return static_cast<int>(*number);
    return fail(Kind::InvalidArgument, "invalid signal: {}", text);
  }
  std::string name = to_upper(text);
  if (name.starts_with("SIG")) name.erase(0, 3);
  const int number = named_signal(name);
  if (number < 0) return fail(Kind::InvalidArgument, "invalid signal: {}", text);
  return number;
}

}  // namespace skiff::engine
