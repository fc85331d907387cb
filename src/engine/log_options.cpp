#include "engine/log_options.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "base/strings.h"

namespace skiff::engine {
namespace {

using Options = std::map<std::string, std::string>;

template <typename... Args>
Error invalid(fmt::format_string<Args...> format, Args&&... args) {
  return fail(Kind::InvalidArgument, format, std::forward<Args>(args)...);
}

std::string value_of(const Options& options, const std::string& name) {
  const auto found = options.find(name);
  return found == options.end() ? std::string() : found->second;
}

bool any_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

Result<bool> parse_flag(const std::string& text) {
  if (any_of(text, {"1", "t", "T", "TRUE", "true", "True"})) return true;
  if (any_of(text, {"0", "f", "F", "FALSE", "false", "False"})) return false;
  return invalid("strconv.ParseBool: parsing {}: invalid syntax", quote(text));
}

Result<std::chrono::nanoseconds> parse_go_duration(const std::string& text) {
  if (const auto parsed = parse_duration(text)) return *parsed;
  if (!text.empty() && text.find_first_not_of("0123456789.+-") == std::string::npos)
    return invalid("time: missing unit in duration {}", quote(text));
  return invalid("time: invalid duration {}", quote(text));
}

Result<std::int64_t> parse_size(const std::string& text) {
  const auto size = parse_ram_size(text);
  if (!size) return invalid("invalid size: '{}'", text);
  return *size;
}

Result<int> parse_count(const std::string& text) {
  const auto count = parse_int(text);
  if (!count) return invalid("strconv.Atoi: parsing {}: invalid syntax", quote(text));
  return static_cast<int>(*count);
}

}  // namespace

Result<LogUrl> parse_log_url(const std::string& text) {
  LogUrl url;
  std::string_view rest = text;
  if (const auto mark = rest.find("://"); mark != std::string_view::npos) {
    url.scheme = rest.substr(0, mark);
    rest.remove_prefix(mark + 3);
  }
  const auto slash = rest.find('/');
  url.host = rest.substr(0, slash);
  if (slash != std::string_view::npos) url.path = rest.substr(slash);
  const auto colon = url.host.rfind(':');
  const bool bracket = url.host.ends_with(']');
  if (colon != std::string::npos && !bracket && !parse_uint(url.host.substr(colon + 1)))
    return invalid("parse {}: invalid port {} after host", quote(text), quote(url.host.substr(colon)));
  return url;
}

Result<HostPort> split_host_port(const std::string& text) {
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string::npos) return invalid("address {}: missing ']' in address", text);
    return HostPort{text.substr(1, end - 1), text.size() > end + 2 ? text.substr(end + 2) : ""};
  }
  const auto colon = text.find(':');
  if (colon == std::string::npos) return HostPort{text, ""};
  if (text.find(':', colon + 1) != std::string::npos)
    return invalid("address {}: too many colons in address", text);
  return HostPort{text.substr(0, colon), text.substr(colon + 1)};
}

namespace {

/// Options that every driver takes, beside its own.
bool is_common(std::string_view name) {
  return any_of(name, {"mode", "max-buffer-size", "cache-disabled", "cache-max-size", "cache-max-file",
                       "cache-compress"});
}

Result<void> check_common(const Options& options) {
  const std::string mode = value_of(options, "mode");
  if (!any_of(mode, {"", "blocking", "non-blocking"}))
    return invalid("logger: logging mode not supported: {}", mode);
  if (const auto size = options.find("max-buffer-size"); size != options.end()) {
    if (mode != "non-blocking")
      return invalid("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
    TRY_CONTEXT(parse_size(size->second), "error parsing option max-buffer-size");
  }
  if (const std::string off = value_of(options, "cache-disabled"); !off.empty() && !parse_flag(off))
    return invalid("invalid value for option cache-disabled: {}", off);
  return {};
}

Result<void> check_names(const Options& options, std::initializer_list<std::string_view> names,
                         std::string_view sentence) {
  for (const auto& [name, value] : options) {
    if (!is_common(name) && !any_of(name, names))
      return Error(Kind::InvalidArgument, fmt::format(fmt::runtime(sentence), name));
  }
  return {};
}

/// Of "local", and with the prefix "cache-" of what other drivers keep beside.
Result<void> check_local_values(const Options& options, const std::string& prefix) {
  int files = 5;
  bool compress = true;
  if (const auto size = options.find(prefix + "max-size"); size != options.end())
    TRY_CONTEXT(parse_size(size->second), "invalid value for max-size: {}", size->second);
  if (const auto count = options.find(prefix + "max-file"); count != options.end())
    files = TRY_CONTEXT(parse_count(count->second), "invalid value for max-file: {}", count->second);
  if (const auto flag = options.find(prefix + "compress"); flag != options.end())
    compress = TRY_CONTEXT(parse_flag(flag->second), "error reading compress log option");
  // Docker refuses one file that is to be compressed, which is its default; there is nothing to compress
  // then.
  if (files < 1) return invalid("max-file cannot be less than 1");
  if (files == 1 && compress && options.contains(prefix + "compress"))
    return invalid("compression cannot be enabled when max file count is 1");
  return {};
}

Result<void> check_local(const Options& options) {
  TRY(check_names(options, {"max-size", "max-file", "compress"},
                  "unknown log opt '{}' for log driver local"));
  return check_local_values(options, "");
}

Result<void> check_json_file(const Options& options) {
  TRY(check_names(options,
                  {"max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag"},
                  "unknown log opt '{}' for json-file log driver"));
  const auto size = options.find("max-size");
  if (size != options.end() && TRY(parse_size(size->second)) <= 0)
    return invalid("max-size must be a positive number");
  int files = 1;
  if (const auto count = options.find("max-file"); count != options.end())
    files = TRY(parse_count(count->second));
  if (files < 1) return invalid("max-file cannot be less than 1");
  if (const auto compress = options.find("compress"); compress != options.end()) {
    if (TRY(parse_flag(compress->second)) && (files == 1 || size == options.end()))
      return invalid("compress cannot be true when max-file is less than 2 or max-size is not set");
  }
  return {};
}

Result<void> check_syslog(const Options& options) {
  TRY(check_names(options,
                  {"env", "env-regex", "labels", "labels-regex", "syslog-address", "syslog-facility",
                   "syslog-tls-ca-cert", "syslog-tls-cert", "syslog-tls-key", "syslog-tls-skip-verify", "tag",
                   "syslog-format"},
                  "unknown log opt '{}' for syslog log driver"));
  if (const std::string address = value_of(options, "syslog-address"); !address.empty()) {
    const LogUrl url = TRY(parse_log_url(address));
    if (!any_of(url.scheme, {"unix", "unixgram", "udp", "tcp", "tcp+tls"}))
      return invalid("unsupported scheme: '{}'", url.scheme);
    if (url.scheme.starts_with("unix")) {
      struct stat status {};
      if (::stat(url.path.c_str(), &status) != 0)
        return invalid("stat {}: no such file or directory", url.path);
    } else {
      TRY(split_host_port(url.host));
    }
  }
  if (const std::string facility = value_of(options, "syslog-facility");
      !facility.empty() && !syslog_facility(facility))
    return invalid("invalid syslog facility");
  if (!any_of(value_of(options, "syslog-format"), {"", "rfc3164", "rfc5424", "rfc5424micro"}))
    return invalid("Invalid syslog format");
  return {};
}

Result<void> check_journald(const Options& options) {
  return check_names(options, {"labels", "labels-regex", "env", "env-regex", "tag"},
                     "unknown log opt '{}' for journald log driver");
}

Result<void> check_fluentd_address(const std::string& address) {
  if (address.empty()) return {};
  const auto refuse = [&](const std::string& why) {
    return invalid("invalid fluentd-address ({}): {}", address, why);
  };
  const auto parsed = parse_log_url(address.find("://") == std::string::npos ? "tcp://" + address : address);
  if (!parsed) return refuse(parsed.error().message());
  const LogUrl& url = *parsed;
  if (url.scheme == "unix") {
    if (url.path.empty() || url.path == "/") return refuse("path is empty");
  } else if (!any_of(url.scheme, {"tcp", "tls"})) {
    return refuse("unsupported scheme: '" + url.scheme + "'");
  } else if (!url.path.empty()) {
    return refuse("should not contain a path element");
  } else if (auto host = split_host_port(url.host); !host) {
    return refuse(host.error().message());
  }
  return {};
}

Result<void> check_fluentd(const Options& options) {
  TRY(check_names(
      options,
      {"env", "env-regex", "labels", "labels-regex", "tag", "fluentd-address", "fluentd-async",
       "fluentd-async-reconnect-interval", "fluentd-buffer-limit", "fluentd-max-retries",
       "fluentd-request-ack", "fluentd-retry-wait", "fluentd-sub-second-precision", "fluentd-write-timeout"},
      "unknown log opt '{}' for fluentd log driver"));
  TRY(check_fluentd_address(value_of(options, "fluentd-address")));
  if (const auto limit = value_of(options, "fluentd-buffer-limit"); !limit.empty()) TRY(parse_size(limit));
  if (const auto wait = value_of(options, "fluentd-retry-wait"); !wait.empty()) TRY(parse_go_duration(wait));
  if (const auto retries = value_of(options, "fluentd-max-retries"); !retries.empty() && !parse_uint(retries))
    return invalid("strconv.ParseUint: parsing {}: invalid syntax", quote(retries));
  for (const char* name : {"fluentd-async", "fluentd-sub-second-precision", "fluentd-request-ack"}) {
    if (const auto flag = value_of(options, name); !flag.empty()) TRY(parse_flag(flag));
  }
  if (const auto text = value_of(options, "fluentd-async-reconnect-interval"); !text.empty()) {
    const auto interval =
        TRY_CONTEXT(parse_go_duration(text), "invalid value for fluentd-async-reconnect-interval");
    if (interval.count() != 0 &&
        (interval < std::chrono::milliseconds(100) || interval > std::chrono::seconds(10)))
      return invalid(
          "invalid value for fluentd-async-reconnect-interval: value ({}) must be between 100ms and 10s",
          quote(text));
  }
  if (const auto text = value_of(options, "fluentd-write-timeout"); !text.empty()) {
    const auto timeout = TRY_CONTEXT(parse_go_duration(text),
                                     "invalid value for fluentd-write-timeout: value must be a duration");
    if (timeout.count() < 0)
      return invalid(
          "invalid value for fluentd-write-timeout: value must be a duration that is non-negative");
  }
  return {};
}

Result<void> check_gelf(const Options& options) {
  const std::string address = value_of(options, "gelf-address");
  if (address.empty()) return invalid("gelf-address is a required parameter");
  const LogUrl url = TRY(parse_log_url(address));
  if (!any_of(url.scheme, {"udp", "tcp"})) return invalid("gelf: endpoint needs to be TCP or UDP");
  const auto host = split_host_port(url.host);
  if (!host || host->port.empty()) return invalid("gelf: please provide gelf-address as proto://host:port");
  TRY(check_names(
      options,
      {"gelf-address", "tag", "labels", "labels-regex", "env", "env-regex", "gelf-compression-level",
       "gelf-compression-type", "gelf-tcp-max-reconnect", "gelf-tcp-reconnect-delay"},
      "unknown log opt \"{}\" for gelf log driver"));
  for (const char* name : {"gelf-compression-level", "gelf-compression-type"}) {
    const auto found = options.find(name);
    if (found == options.end()) continue;
    if (url.scheme != "udp") return invalid("compression is only supported on UDP");
    const auto level = parse_int(found->second);
    const bool good = std::string_view(name).ends_with("type")
                          ? any_of(found->second, {"gzip", "zlib", "none"})
                          : level && *level >= -1 && *level <= 9;
    if (!good)
      return invalid("unknown value {} for log opt \"{}\" for gelf log driver", quote(found->second), name);
  }
  for (const char* name : {"gelf-tcp-max-reconnect", "gelf-tcp-reconnect-delay"}) {
    const auto found = options.find(name);
    if (found == options.end()) continue;
    if (url.scheme != "tcp") return invalid("\"{}\" is only valid for TCP", name);
    if (!parse_uint(found->second)) return invalid("\"{}\" must be a positive integer", name);
  }
  return {};
}

struct Driver {
  std::string_view name;
  Result<void> (*check)(const Options&);
};

constexpr Driver kDrivers[] = {
    {"fluentd", check_fluentd},     {"gelf", check_gelf},   {"journald", check_journald},
    {"json-file", check_json_file}, {"local", check_local}, {"syslog", check_syslog},
};

}  // namespace

const std::vector<std::string>& log_drivers() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Driver& driver : kDrivers) all.emplace_back(driver.name);
    return all;
  }();
  return names;
}

std::optional<int> syslog_facility(std::string_view text) {
  constexpr std::string_view kNames[] = {"kern", "user", "mail", "daemon", "auth",     "syslog",
                                         "lpr",  "news", "uucp", "cron",   "authpriv", "ftp"};
  for (int i = 0; i < static_cast<int>(std::size(kNames)); ++i) {
    if (text == kNames[i]) return i;
  }
  if (text.size() == 6 && text.starts_with("local") && text[5] >= '0' && text[5] <= '7')
    return 16 + (text[5] - '0');
  const auto number = parse_uint(text);
  if (number && *number <= 23) return static_cast<int>(*number);
  return std::nullopt;
}

Result<void> check_log_options(const std::string& driver, const Options& options) {
  if (driver == "none") return {};
  TRY(check_common(options));
  for (const Driver& known : kDrivers) {
    if (known.name != driver) continue;
    TRY(known.check(options));
    if (driver != "local" && driver != "json-file") TRY(check_local_values(options, "cache-"));
    return {};
  }
  return invalid("error looking up logging plugin {0}: plugin \"{0}\" not found", driver);
}

spec::docker::LogConfig effective_log_config(spec::docker::LogConfig own, const spec::EngineConfig& engine) {
  if (own.type.empty()) own.type = engine.log_driver;
  if (own.type == engine.log_driver) {
    for (const auto& [name, value] : engine.log_options) own.config.try_emplace(name, value);
  } else {
    // How the cache is kept is said once for all drivers.
    for (const auto& [name, value] : engine.log_options) {
      if (name.starts_with("cache-")) own.config.try_emplace(name, value);
    }
  }
  return own;
}

bool log_is_readable(const spec::docker::LogConfig& log) {
  if (log.type == "none") return false;
  if (log.type == "local" || log.type == "json-file") return true;
  const auto off = log.config.find("cache-disabled");
  return off == log.config.end() || !parse_flag(off->second).value_or(false);
}

}  // namespace skiff::engine
