#include "cli/specs/values.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/strings.h"
#include "cli/flags.h"
#include "spec/reference.h"
#include "sys/file.h"

namespace skiff::cli {

namespace {

bool is_address(const std::string& text) {
  unsigned char buffer[16];
  return ::inet_pton(AF_INET, text.c_str(), buffer) == 1 || ::inet_pton(AF_INET6, text.c_str(), buffer) == 1;
}

bool contains(std::initializer_list<std::string_view> list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

}  // namespace

Result<spec::docker::Ulimit> parse_ulimit(std::string_view text) {
  const auto [name, value] = cut(text, '=');
  if (!value) return fail(Kind::InvalidArgument, "invalid ulimit argument: {}", text);
  if (!contains({"core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc",
                 "rss", "rtprio", "rttime", "sigpending", "stack"},
                name))
    return fail(Kind::InvalidArgument, "invalid ulimit type: {}", name);
  if (std::count(value->begin(), value->end(), ':') > 1)
    return fail(Kind::InvalidArgument,
                "too many limit value arguments - {}, can only have up to two, `soft[:hard]`", *value);
  const auto [soft_text, hard_text] = cut(*value, ':');
  if (soft_text.empty())
    return fail(Kind::InvalidArgument,
                "invalid ulimit value: {}: strconv.ParseInt: parsing \"\": invalid syntax", *value);
  spec::docker::Ulimit limit;
  limit.name = name;
  limit.soft = TRY(parse_go_int(soft_text));
  limit.hard = hard_text ? TRY(parse_go_int(*hard_text)) : limit.soft;
  if (limit.hard == -1) return limit;
  if (limit.soft == -1)
    return fail(Kind::InvalidArgument,
                "ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: {}",
                limit.hard);
  if (limit.soft > limit.hard)
    return fail(Kind::InvalidArgument, "ulimit soft limit must be less than or equal to hard limit: {} > {}",
                limit.soft, limit.hard);
  return limit;
}

Result<std::string> check_extra_host(std::string_view text) {
  const auto mark = text.find_first_of("=:");
  // "name:::1" has its name before the first colon; "name=..." wins when it comes first.
  if (mark == std::string_view::npos || mark == 0)
    return fail(Kind::InvalidArgument, "bad format for add-host: {}", quote(text));
  const std::string_view name = text.substr(0, mark);
  std::string address(text.substr(mark + 1));
  if (address.empty()) return fail(Kind::InvalidArgument, "bad format for add-host: {}", quote(text));
  if (address == "host-gateway") return fmt::format("{}:{}", name, address);
  if (address.size() > 2 && address.front() == '[' && address.back() == ']')
    address = address.substr(1, address.size() - 2);
  if (!is_address(address))
    return fail(Kind::InvalidArgument, "invalid IP address in add-host: {}", quote(address));
  return fmt::format("{}:{}", name, address);
}

Result<std::string> check_env(std::string_view text) {
  const auto [name, value] = cut(text, '=');
  if (name.empty()) return fail(Kind::InvalidArgument, "invalid environment variable: {}", text);
  if (value) return std::string(text);
  const char* ours = std::getenv(std::string(name).c_str());
  return ours ? fmt::format("{}={}", name, ours) : std::string(text);
}

Result<std::string> check_label(std::string_view text) {
  const std::string_view name = trim(cut(text, '=').first);
  if (name.empty()) return fail(Kind::InvalidArgument, "invalid label '{}': empty name", text);
  if (name.find_first_of(" \t\n") != std::string_view::npos)
    return fail(Kind::InvalidArgument, "label '{}' contains whitespaces", name);
  return std::string(text);
}

Result<std::string> check_device_rule(std::string_view text) {
  const auto words = split(text, ' ');
  const auto number = [](std::string_view part) {
    return part == "*" || (!part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos);
  };
  const auto [major, minor] = cut(words.size() == 3 ? words[1] : std::string_view(), ':');
  if (!minor || !number(major) || !number(*minor) || !contains({"a", "b", "c"}, words[0]) ||
      words[2].empty() || words[2].size() > 3 || words[2].find_first_not_of("rwm") != std::string::npos)
    return fail(Kind::InvalidArgument, "invalid device cgroup format '{}'", text);
  return std::string(text);
}

bool is_mac_address(std::string_view text) {
  const char separator = text.size() > 2 ? text[2] : '\0';
  if (text.size() != 17 || (separator != ':' && separator != '-')) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool fits =
        i % 3 == 2 ? text[i] == separator : std::isxdigit(static_cast<unsigned char>(text[i])) != 0;
    if (!fits) return false;
  }
  return true;
}

Result<std::string> check_ip_address(std::string_view text) {
  std::string address(trim(text));
  if (!is_address(address))
    return fail(Kind::InvalidArgument, "IP address is not correctly formatted: {}", text);
  return address;
}

Result<std::string> check_dns_search(std::string_view text) {
  const std::string domain(trim(text));
  if (domain == ".") return domain;
  const bool fine = !domain.empty() && domain.size() <= 255 && domain.front() != '.' &&
                    domain.front() != '-' && std::all_of(domain.begin(), domain.end(), [](char c) {
                      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                             c == '.' || c == '-' || c == '_';
                    });
  if (!fine) return fail(Kind::InvalidArgument, "{} is not a valid domain", text);
  return domain;
}

Result<std::string> check_attach_stream(std::string_view text) {
  const std::string name = to_lower(text);
  if (!contains({"stdin", "stdout", "stderr"}, name))
    return Error(Kind::InvalidArgument, "valid streams are STDIN, STDOUT and STDERR");
  return name;
}

Result<std::string> check_sysctl(std::string_view text) {
  const auto [name, value] = cut(text, '=');
  const bool known = contains({"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
                               "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced"},
                              name) ||
                     name.starts_with("net.") || name.starts_with("fs.mqueue.");
  if (!value || !known) return fail(Kind::InvalidArgument, "sysctl '{}' is not allowed", text);
  return std::string(text);
}

Result<std::string> check_filter(std::string_view text) {
  const auto [name, value] = cut(text, '=');
  if (!value) return Error(Kind::InvalidArgument, "bad format of filter (expected name=value)");
  return fmt::format("{}={}", to_lower(trim(name)), trim(*value));
}

Result<std::string> check_image_name(std::string_view text) {
  (void)TRY(spec::Reference::parse(text));
  return std::string(text);
}

Result<spec::docker::RestartPolicy> parse_restart_policy(std::string_view text) {
  spec::docker::RestartPolicy policy;
  if (text.empty()) return policy;
  const auto [name, count] = cut(text, ':');
  if (name.empty() && count)
    return Error(Kind::InvalidArgument, "invalid restart policy format: no policy provided before colon");
  policy.name = name;
  if (!count) return policy;
  const auto number = parse_int(*count);
  if (!number || *number > INT32_MAX || *number < INT32_MIN)
    return Error(Kind::InvalidArgument,
                 "invalid restart policy format: maximum retry count must be an integer");
  policy.maximum_retry_count = static_cast<int>(*number);
  return policy;
}

Result<spec::docker::DeviceMapping> parse_device(std::string_view text) {
  const auto is_mode = [](std::string_view mode) {
    return !mode.empty() && mode.size() <= 3 && mode.find_first_not_of("rwm") == std::string_view::npos;
  };
  const auto parts = split(text, ':');
  spec::docker::DeviceMapping device{parts[0], parts[0], "rwm"};
  if (parts.size() > 3) return fail(Kind::InvalidArgument, "invalid device specification: {}", text);
  if (!device.path_on_host.starts_with('/')) {
    if (device.path_on_host.find('=') != std::string::npos)
      return device;  // a name of the device interface (CDI)
    return fail(Kind::InvalidArgument, "{} is not an absolute path", parts[0]);
  }
  if (parts.size() == 3) {
    if (!is_mode(parts[2])) return fail(Kind::InvalidArgument, "bad mode specified: {}", parts[2]);
    device.cgroup_permissions = parts[2];
    device.path_in_container = parts[1];
  } else if (parts.size() == 2) {
    (is_mode(parts[1]) ? device.cgroup_permissions : device.path_in_container) = parts[1];
  }
  if (!device.path_in_container.starts_with('/'))
    return fail(Kind::InvalidArgument, "{} is not an absolute path", device.path_in_container);
  return device;
}

Result<spec::docker::ThrottleDevice> parse_throttle_device(std::string_view text, bool plain) {
  const auto [path, rate] = cut(text, ':');
  if (!rate || rate->empty()) return fail(Kind::InvalidArgument, "bad format: {}", text);
  if (!path.starts_with("/dev/")) return fail(Kind::InvalidArgument, "bad format for device path: {}", text);
  const auto size = plain ? parse_int(*rate) : parse_ram_size(*rate);
  if (!size || *size < 0)
    return fail(
        Kind::InvalidArgument, "invalid rate for device: {}. The correct format is <device-path>:<number>{}",
        text,
        plain ? ". Number must be a positive integer"
              : "[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb");
  return spec::docker::ThrottleDevice{std::string(path), static_cast<std::uint64_t>(*size)};
}

Result<spec::docker::WeightDevice> parse_weight_device(std::string_view text) {
  const auto [path, weight] = cut(text, ':');
  if (!weight || weight->empty()) return fail(Kind::InvalidArgument, "bad format: {}", text);
  if (!path.starts_with("/dev/")) return fail(Kind::InvalidArgument, "bad format for device path: {}", text);
  const auto number = parse_uint(*weight);
  if (!number || (*number > 0 && (*number < 10 || *number > 1000)))
    return fail(Kind::InvalidArgument, "invalid weight for device: {}", text);
  return spec::docker::WeightDevice{std::string(path), static_cast<std::uint16_t>(*number)};
}

Result<std::int64_t> parse_cpus(std::string_view text) {
  if (text.size() > 1 && text[0] == '-' && text[1] != '-')
    return -TRY(parse_cpus(text.substr(1)));  // the engine says what it thinks of it
  const auto [whole, fraction] = cut(text, '.');
  const auto digits = [](std::string_view part) {
    return part.find_first_not_of("0123456789") == std::string_view::npos;
  };
  const bool empty = whole.empty() && fraction.value_or("").empty();
  if (empty || !digits(whole) || !digits(fraction.value_or("")) || whole.size() > 9)
    return fail(Kind::InvalidArgument, "failed to parse {} as a rational number", text);
  std::string billionths(fraction.value_or(""));
  while (!billionths.empty() && billionths.back() == '0') billionths.pop_back();
  if (billionths.size() > 9) return Error(Kind::InvalidArgument, "value is too precise");
  billionths.resize(9, '0');
  return parse_int(whole.empty() ? "0" : whole).value_or(0) * 1'000'000'000 +
         parse_int(billionths).value_or(0);
}

Result<std::vector<std::string>> read_variables(const std::string& path, std::string_view kind,
                                                bool from_environment) {
  auto text = sys::read_file(path, 16 << 20);
  if (!text.ok()) {
    const int code = text.error().code();
    std::string why = code == ENOENT   ? "no such file or directory"
                      : code == EACCES ? "permission denied"
                      : code == EISDIR ? "is a directory"
                                       : std::strerror(code);
    return fail(Kind::InvalidArgument, "open {}: {}", path, why);
  }
  std::vector<std::string> out;
  std::string_view rest = *text;
  if (rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
  for (std::string line : split(rest, '\n')) {
    if (line.ends_with('\r')) line.pop_back();
    const auto start = line.find_first_not_of(" \t\v\f");
    if (start == std::string::npos || line[start] == '#') continue;
    line.erase(0, start);
    const auto [name, value] = cut(line, '=');
    if (name.find_first_of(" \t\n") != std::string_view::npos)
      return fail(Kind::InvalidArgument, "invalid {} file ({}): variable '{}' contains whitespaces", kind,
                  path, name);
    if (name.empty())
      return fail(Kind::InvalidArgument, "invalid {} file ({}): no variable name on line '{}'", kind, path,
                  line);
    if (value) {
      out.push_back(line);
    } else if (!from_environment) {
      continue;  // as Docker: a label in a file has a value
    } else if (const char* ours = std::getenv(line.c_str())) {
      out.push_back(line + "=" + ours);
    }
  }
  return out;
}

std::map<std::string, std::string> to_map(const std::vector<std::string>& pairs) {
  std::map<std::string, std::string> map;
  for (const auto& pair : pairs) {
    const auto [key, value] = cut(pair, '=');
    map[std::string(key)] = value.value_or("");
  }
  return map;
}

}  // namespace skiff::cli
