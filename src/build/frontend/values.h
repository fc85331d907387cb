#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

/// Values of instructions that are more than text.
namespace skiff::build {

/// EXPOSE's "80", "90-92/udp", "8080:80" as the ports of the image's configuration: "80/tcp". InvalidArgument
/// in Docker's words.
Result<std::vector<std::string>> parse_exposed_port(std::string_view text);

/// STOPSIGNAL's "SIGTERM", "term", "15", "RTMIN+3". InvalidArgument: "invalid signal: x".
Result<void> check_signal(std::string_view text);

/// Sets NAME in a list of "NAME=value": in place when it is there, at the end otherwise.
void set_variable(std::vector<std::string>& environment, std::string_view name, std::string_view value);
/// The value of NAME in such a list, or nullptr.
const std::string* find_variable(const std::vector<std::string>& environment, std::string_view name);

/// A destination as COPY means it: absolute, clean, with a trailing "/" kept.
std::string copy_destination(std::string_view directory, std::string_view destination);

/// Go's %q of a list, `["a" "b"]`, and its %v, `[a b]`.
std::string quoted_list(const std::vector<std::string>& words);
std::string plain_list(const std::vector<std::string>& words);

}  // namespace skiff::build
