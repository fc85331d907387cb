#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"

namespace skiff::engine {

/// A health check that the engine makes itself, in the container's network, with no program of the image:
///
///     {"TCP", "[ADDRESS:]PORT"}                    a connection is accepted
///     {"HTTP", "[http://ADDRESS][:PORT][/PATH]"}   a GET is answered with a status from 200 to 399
///
/// Beyond Docker, whose checks are {"CMD", ...} and {"CMD-SHELL", ...}.
struct NetworkProbe {
  bool http = false;
  std::string address = "127.0.0.1";  ///< IPv4 or IPv6: names mean nothing here
  std::uint16_t port = 80;
  std::string path = "/";
};

/// Nothing when `test` is another kind of check. InvalidArgument: it is one of these and has no meaning.
Result<std::optional<NetworkProbe>> parse_network_probe(const std::vector<std::string>& test);

struct ProbeResult {
  bool healthy = false;
  bool timed_out = false;
  std::string output;  ///< what the check found, in words
};

/// Makes the check in the calling thread's network namespace. Ends early, with whatever, when `stop` is
/// requested.
ProbeResult run_network_probe(const NetworkProbe& probe, std::chrono::nanoseconds timeout,
                              const std::stop_token& stop);

}  // namespace skiff::engine
