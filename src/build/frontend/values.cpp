#include "build/frontend/values.h"

#include <string.h>

#include <algorithm>
#include <csignal>
#include <optional>

#include "base/strings.h"
#include "sys/path.h"

namespace skiff::build {

Result<std::vector<std::string>> parse_exposed_port(std::string_view text) {
  const auto [address, given] = cut(text, '/');
  const std::string protocol = given ? to_lower(*given) : "tcp";
  const auto colon = address.rfind(':');
  const std::string_view port = colon == std::string_view::npos ? address : address.substr(colon + 1);
  if (port.empty()) return fail(Kind::InvalidArgument, "No port specified: {}<empty>", text);
  const auto [first, last] = cut(port, '-');
  const auto low = parse_uint(first);
  const auto high = last ? parse_uint(*last) : low;
  if (!low || !high || *low > 65535 || *high > 65535 || *high < *low)
    return fail(Kind::InvalidArgument, "Invalid containerPort: {}", port);
  if (protocol != "tcp" && protocol != "udp" && protocol != "sctp")
    return fail(Kind::InvalidArgument, "Invalid proto: {}", protocol);
  std::vector<std::string> ports;
  for (std::uint64_t number = *low; number <= *high; ++number)
    ports.push_back(fmt::format("{}/{}", number, protocol));
  return ports;
}

Result<void> check_signal(std::string_view text) {
  if (const auto number = parse_int(text)) {
    if (*number > 0 && *number <= 64) return {};
    return fail(Kind::InvalidArgument, "invalid signal: {}", text);
  }
  std::string name = to_upper(text);
  if (name.starts_with("SIG")) name.erase(0, 3);
  for (int signal = 1; signal < 32; ++signal)
    if (const char* known = sigabbrev_np(signal); known && name == known) return {};
  if (name == "CLD" || name == "IOT" || name == "RTMIN" || name == "RTMAX") return {};
  for (const std::string_view base : {"RTMIN+", "RTMAX-"})
    if (name.starts_with(base))
      if (const auto offset = parse_uint(std::string_view(name).substr(base.size())); offset && *offset <= 30)
        return {};
  return fail(Kind::InvalidArgument, "invalid signal: {}", text);
}

const std::string* find_variable(const std::vector<std::string>& environment, std::string_view name) {
  for (const std::string& entry : environment)
    if (cut(entry, '=').first == name) return &entry;
  return nullptr;
}

void set_variable(std::vector<std::string>& environment, std::string_view name, std::string_view value) {
  std::string entry = fmt::format("{}={}", name, value);
  for (std::string& old : environment)
    if (cut(old, '=').first == name) {
      old = std::move(entry);
      return;
    }
  environment.push_back(std::move(entry));
}

std::string copy_destination(std::string_view directory, std::string_view destination) {
  const bool is_directory = destination.ends_with('/');
  std::string out = sys::join_path(directory.empty() ? "/" : directory, destination);
  if (is_directory && !out.ends_with('/')) out += '/';
  return out;
}

std::string quoted_list(const std::vector<std::string>& words) {
  std::vector<std::string> quoted;
  for (const std::string& word : words) quoted.push_back(quote(word));
  return "[" + join(quoted, " ") + "]";
}

std::string plain_list(const std::vector<std::string>& words) { return "[" + join(words, " ") + "]"; }

}  // namespace skiff::build
