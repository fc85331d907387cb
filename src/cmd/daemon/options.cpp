#include "cmd/daemon/options.h"

#include <stdlib.h>

#include <algorithm>

#include "base/json.h"
#include "base/strings.h"
#include "cli/flags.h"
#include "engine/log_options.h"
#include "engine/runtimes.h"
#include "http/address.h"
#include "image/trust/trust.h"
#include "registry/client/endpoint.h"
#include "spec/digest.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::daemon {
namespace {

/// Flags whose name in the file is another one.
constexpr std::pair<std::string_view, std::string_view> kFileNames[] = {
    {"host", "hosts"},
    {"label", "labels"},
    {"log-opt", "log-opts"},
    {"dns-opt", "dns-opts"},
    {"exec-opt", "exec-opts"},
    {"add-runtime", "runtimes"},
    {"default-address-pool", "default-address-pools"},
    {"registry-mirror", "registry-mirrors"},
    {"insecure-registry", "insecure-registries"},
};
/// Flags that mean nothing in a file.
constexpr std::string_view kOnlyFlags[] = {"config-file", "validate",    "version", "help",
                                           "http-proxy",  "https-proxy", "no-proxy"};
/// Members of "proxies" in the file, which are flags of the same names.
constexpr std::string_view kProxies = "proxies";
constexpr std::string_view kProxyFlags[] = {"http-proxy", "https-proxy", "no-proxy"};

std::string file_name(std::string_view flag) {
  for (const auto& [name, in_file] : kFileNames)
    if (name == flag) return std::string(in_file);
  return std::string(flag);
}

std::string flag_name(std::string_view key) {
  for (const auto& [name, in_file] : kFileNames)
    if (in_file == key) return std::string(name);
  return std::string(key);
}

struct Numbers {
  std::int64_t mtu = 1500;
  std::int64_t downloads = 3;
  std::int64_t uploads = 5;
  std::int64_t attempts = 5;
  std::int64_t layer_entries = static_cast<std::int64_t>(spec::kDefaultLayerLimits.entries);
  std::int64_t layer_ratio = static_cast<std::int64_t>(spec::kDefaultLayerLimits.ratio);
  std::int64_t layer_bytes = static_cast<std::int64_t>(spec::kDefaultLayerLimits.bytes);
  std::string log_level = "info";
};

Result<void> check_runtime_name(std::string_view name) {
  if (name == spec::kOwnRuntime) return fail(Kind::InvalidArgument, "runtime name '{}' is reserved", name);
  return {};
}

Result<void> add_runtime(spec::EngineConfig& config, std::string_view text) {
  const auto [given_name, given_path] = cut(text, '=');
  const std::string name = to_lower(trim(given_name));
  const std::string path(trim(given_path.value_or("")));
  if (name.empty() || path.empty()) return fail(Kind::InvalidArgument, "invalid runtime argument: {}", text);
  TRY(check_runtime_name(name));
  if (!config.runtimes.try_emplace(name, spec::RuntimeEntry{path, {}}).second)
    return fail(Kind::InvalidArgument, "runtime '{}' was already defined", name);
  return {};
}

/// "native.cgroupdriver=systemd". Docker passes over what it does not know; here a slip of the pen shows.
Result<void> add_exec_option(spec::EngineConfig& config, std::string_view text) {
  const auto [key, value] = cut(text, '=');
  if (!value) return fail(Kind::InvalidArgument, "unable to parse key/value option: {}", text);
  if (to_lower(trim(key)) != "native.cgroupdriver")
    return fail(Kind::InvalidArgument, "exec-opt {} is not known: the only one is native.cgroupdriver",
                quote(trim(key)));
  const auto driver = trim(*value);
  if (driver == "none")
    return fail(Kind::InvalidArgument,
                "native.cgroupdriver option {} is internally used and cannot be specified manually", driver);
  if (!driver.empty() && driver != "cgroupfs" && driver != "systemd")
    return fail(Kind::InvalidArgument, "native.cgroupdriver option {} not supported", driver);
  config.systemd_cgroups = driver == "systemd";
  return {};
}

/// "base=10.0.0.0/8,size=24"
Result<void> add_pool(spec::EngineConfig& config, std::string_view text) {
  spec::AddressPool pool;
  for (const auto& part : split(text, ',')) {
    const auto [key, value] = cut(part, '=');
    const auto size = value ? parse_int(*value) : std::nullopt;
    if (key == "base" && value)
      pool.base = *value;
    else if (key == "size" && size && *size > 0 && *size <= 32)
      pool.size = static_cast<int>(*size);
    else
      return fail(Kind::InvalidArgument, "invalid address pool {}: expected base=CIDR,size=LENGTH",
                  quote(text));
  }
  if (pool.base.empty() || pool.size == 0)
    return fail(Kind::InvalidArgument, "invalid address pool {}: expected base=CIDR,size=LENGTH",
                quote(text));
  config.address_pools.push_back(std::move(pool));
  return {};
}

Result<std::string> check_host(std::string_view text) { return TRY(http::Address::parse(text)).to_string(); }

void add_flags(cli::FlagSet& flags, Options& options, Numbers& numbers) {
  auto& config = options.config;
  flags.custom("runtime", "add-runtime", 0, "Register an additional OCI compatible runtime",
               [&config](std::string_view text) { return add_runtime(config, text); });
  flags.string(config.bip, "bip", 0, "IPv4 address for the default bridge");
  flags.string(config.bridge, "bridge", 'b',
               "Attach containers to a network bridge; \"none\" for no default network");
  flags.string(config.cgroup_parent, "cgroup-parent", 0, "Set parent cgroup for all containers");
  flags.string(options.config_file, "config-file", 0, "Daemon configuration file")
      .show_default("\"" + options.config_file + "\"");
  flags.string(config.data_root, "data-root", 0, "Root directory of persistent state")
      .show_default("\"" + config.data_root + "\"");
  flags.boolean(config.debug, "debug", 'D', "Enable debug mode");
  flags.custom("pool-options", "default-address-pool", 0,
               "Default address pools for node specific local networks",
               [&config](std::string_view text) { return add_pool(config, text); });
  flags.string(config.default_runtime, "default-runtime", 0, "Default OCI runtime for containers");
  flags.list(config.dns, "dns", 0, "DNS server to use");
  flags.list(config.dns_options, "dns-opt", 0, "DNS options to use");
  flags.list(config.dns_search, "dns-search", 0, "DNS search domains to use");
  flags.custom("list", "exec-opt", 0, "Runtime execution options",
               [&config](std::string_view text) { return add_exec_option(config, text); });
  flags.string(config.exec_root, "exec-root", 0, "Root directory for execution state files")
      .show_default("\"" + config.exec_root + "\"");
  flags.string(config.firewall_table, "firewall-table", 0, "Name of the engine's own nftables table");
  flags.string(config.socket_group, "group", 'G', "Group for the unix socket").show_default("\"docker\"");
  flags.boolean(options.help, "help", 'h', "Print usage");
  flags.list(config.hosts, "host", 'H', "Daemon socket(s) to connect to", check_host);
  flags.string(options.proxies.http, "http-proxy", 0, "HTTP proxy URL to use for outgoing traffic");
  flags.string(options.proxies.https, "https-proxy", 0, "HTTPS proxy URL to use for outgoing traffic");
  flags.bytes(config.image_budget, "image-budget", 0,
              "What images may take on disk; the ones used longest ago go first (0: no limit)");
  flags.list(config.registries.insecure, "insecure-registry", 0, "Enable insecure registry communication",
             registry::check_insecure);
  flags.boolean(config.registries.keep_layer_blobs, "keep-layer-blobs", 0,
                "Keep compressed layers as they were pulled, to push the very same bytes");
  flags.list(config.labels, "label", 0, "Set key=value labels to the daemon");
  flags.integer(numbers.layer_entries, "layer-max-entries", 0,
                "Most files and other entries of a layer that is unpacked (0: no limit)");
  flags.integer(numbers.layer_ratio, "layer-max-ratio", 0,
                "Most bytes out of one of a compressed layer, after the first GiB (0: no limit)");
  flags.bytes(numbers.layer_bytes, "layer-max-size", 0, "Largest layer, uncompressed (0: no limit)")
      .show_default("100g");
  flags.boolean(config.registries.lazy_background, "lazy-background", 0,
                "Fetch the rest of lazily pulled images behind the scenes");
  flags.string(config.log_driver, "log-driver", 0, "Default driver for container logs")
      .show_default("\"local\"");
  flags
      .string(numbers.log_level, "log-level", 'l',
              "Set the logging level (\"debug\"|\"info\"|\"warn\"|\"error\")")
      .show_default("\"info\"");
  flags.map(config.log_options, "log-opt", 0, "Default log driver options for containers");
  flags.integer(config.max_body_bytes, "max-body-bytes", 0, "Largest JSON body of a request");
  flags.integer(numbers.downloads, "max-concurrent-downloads", 0, "Set the max concurrent downloads");
  flags.integer(numbers.uploads, "max-concurrent-uploads", 0, "Set the max concurrent uploads");
  flags.integer(numbers.attempts, "max-download-attempts", 0, "Set the max download attempts for each pull");
  flags.string(config.monitor_program, "monitor-program", 0, "Path of skiff-monitor");
  flags.integer(numbers.mtu, "mtu", 0, "Set the MTU for the default bridge network");
  flags.string(options.proxies.none, "no-proxy", 0,
               "Comma-separated list of hosts or IP addresses for which the proxy is skipped");
  flags.string(config.pidfile, "pidfile", 'p', "Path to use for daemon PID file");
  flags.string(config.policy_file, "policy", 0, "Rules about which images may be pulled and run")
      .show_default(fmt::format("\"{}\", if it is there", image::kDefaultPolicy));
  flags.list(config.registries.mirrors, "registry-mirror", 0, "Preferred registry mirror",
             registry::check_mirror);
  flags.boolean(options.validate, "validate", 0, "Validate daemon configuration and exit");
  flags.boolean(options.version, "version", 'v', "Print version information and quit");
}

/// A value of the file as the texts that the flag of that name would have been given.
Result<std::vector<std::string>> as_flag_values(const std::string& key, const json::Value& value) {
  const auto bad = [&] { return fail(Kind::InvalidArgument, "{}: the value has the wrong type", key); };
  if (value.is_string()) return std::vector{std::string(value.get_string())};
  if (value.is_bool() || value.is_number()) return std::vector{json::to_text(value)};
  std::vector<std::string> out;
  if (const auto* array = value.if_array()) {
    for (const auto& element : *array) {
      if (element.is_string()) {
        out.emplace_back(element.get_string());
      } else if (const auto* pool = element.if_object(); pool && key == "default-address-pools") {
        std::vector<std::string> parts;
        for (const auto& [name, part] : *pool)
          parts.push_back(std::string(name) + "=" +
                          (part.is_string() ? std::string(part.get_string()) : json::to_text(part)));
        out.push_back(join(parts, ","));
      } else {
        return bad();
      }
    }
    return out;
  }
  if (const auto* object = value.if_object(); object && key == "log-opts") {
    for (const auto& [name, element] : *object) {
      if (!element.is_string()) return bad();
      out.push_back(std::string(name) + "=" + std::string(element.get_string()));
    }
    return out;
  }
  return bad();
}

/// One of "runtimes" in the file.
struct FileRuntime {
  std::string path;
  std::vector<std::string> arguments;
  std::string type;
  json::Value options;
};
void describe(json::Fields& f, FileRuntime& runtime) {
  f("path", runtime.path);
  f("runtimeArgs", runtime.arguments);
  f("runtimeType", runtime.type);
  f("options", runtime.options);
}

Result<void> check_file_runtime(std::string_view name, const FileRuntime& runtime) {
  TRY(check_runtime_name(name));
  const auto wrong = [&](std::string_view what) {
    return fail(Kind::InvalidArgument, "runtime {}: {}", name, what);
  };
  if (runtime.path.empty() && runtime.type.empty())
    return wrong("either a runtimeType or a path must be configured");
  if (!runtime.path.empty() && !runtime.type.empty())
    return wrong("cannot configure both path and runtimeType for the same runtime");
  if (!runtime.type.empty()) return wrong("a runtimeType is a shim of containerd's, which is not used here");
  if (!runtime.options.is_null()) return wrong("options cannot be used with a path runtime");
  return {};
}

Result<void> add_file_runtimes(spec::EngineConfig& config, const json::Value& value) {
  const auto* object = value.if_object();
  if (!object) return Error(Kind::InvalidArgument, "runtimes: the value has the wrong type");
  for (const auto& [key, element] : *object) {
    const std::string name(key);
    auto runtime = TRY_CONTEXT(json::from_value<FileRuntime>(element), "runtimes: {}", name);
    TRY(check_file_runtime(name, runtime));
    config.runtimes[name] = {std::move(runtime.path), std::move(runtime.arguments)};
  }
  return {};
}

Result<void> take_file_proxies(const json::Value& value, cli::FlagSet& flags) {
  const auto* object = value.if_object();
  if (!object) return Error(Kind::InvalidArgument, "proxies: the value has the wrong type");
  for (const auto& [key, element] : *object) {
    const std::string name(key);
    if (std::find(std::begin(kProxyFlags), std::end(kProxyFlags), name) == std::end(kProxyFlags))
      return fail(Kind::InvalidArgument,
                  "the following directives don't match any configuration option: proxies.{}", name);
    if (!element.is_string())
      return fail(Kind::InvalidArgument, "proxies: {}: the value has the wrong type", name);
    if (flags.changed(name))
      return fail(Kind::InvalidArgument,
                  "the following directives are specified both as a flag and in the configuration file: {}",
                  name);
    TRY(flags.find(name)->set(element.get_string()));
  }
  return {};
}

Result<void> check_keys(const json::Object& file, cli::FlagSet& flags) {
  std::vector<std::string> unknown;
  std::vector<std::string> twice;
  for (const auto& [key_text, value] : file) {
    const std::string key(key_text);
    const std::string name = flag_name(key);
    const bool only_flag =
        std::find(std::begin(kOnlyFlags), std::end(kOnlyFlags), name) != std::end(kOnlyFlags);
    const auto* flag = flags.find(name);
    if (key == kProxies) continue;
    if (!flag || only_flag || key != file_name(name))
      unknown.push_back(key);
    else if (flag->changed && name != "add-runtime")
      twice.push_back(fmt::format("{}: (from flag, from file: {})", key, json::to_text(value)));
  }
  if (!unknown.empty())
    return fail(Kind::InvalidArgument, "the following directives don't match any configuration option: {}",
                join(unknown, ", "));
  if (!twice.empty())
    return fail(Kind::InvalidArgument,
                "the following directives are specified both as a flag and in the configuration file: {}",
                join(twice, ", "));
  return {};
}

Result<json::Value> read_file(const std::string& path) {
  auto value = TRY(json::parse(TRY(sys::read_file(path, 1 << 20))));
  if (!value.is_object()) return Error(Kind::InvalidArgument, "the file must hold a JSON object");
  return value;
}

Result<void> merge_file(Options& options, cli::FlagSet& flags) {
  const bool named = flags.changed("config-file");
  if (!named && !sys::exists(options.config_file)) return {};
  const auto value = TRY(read_file(options.config_file));
  TRY(check_keys(value.get_object(), flags));
  for (const auto& [key_text, element] : value.get_object()) {
    const std::string key(key_text);
    if (key == kProxies) {
      TRY(take_file_proxies(element, flags));
      continue;
    }
    if (key == "runtimes") {
      TRY(add_file_runtimes(options.config, element));
      continue;
    }
    for (const auto& text : TRY(as_flag_values(key, element)))
      TRY_CONTEXT(flags.find(flag_name(key))->set(text), "{}", key);
  }
  return {};
}

/// What follows from other settings, so that two engines with different roots and bridges never meet.
void complete(spec::EngineConfig& config, const std::string& own_program) {
  const spec::EngineConfig defaults;
  if (config.hosts.empty()) config.hosts.push_back("unix://" + config.exec_root + "/skiff.sock");
  if (config.pidfile.empty()) config.pidfile = config.exec_root + "/skiffd.pid";
  if (config.firewall_table.empty())
    config.firewall_table = config.bridge == defaults.bridge ? "skiff" : "skiff-" + config.bridge;
  if (config.cgroup_parent.empty() && config.systemd_cgroups) {
    config.cgroup_parent = "system.slice";
  } else if (config.cgroup_parent.empty()) {
    config.own_cgroup_parent = true;
    config.cgroup_parent = config.exec_root == defaults.exec_root
                               ? "skiff"
                               : "skiff-" + std::string(spec::Digest::of(config.exec_root).short_hex());
  }
  for (const char* name : {"SSL_CERT_FILE", "SSL_CERT_DIR"})
    if (const char* value = ::getenv(name))
      config.certificate_variables.push_back(fmt::format("{}={}", name, value));
  if (config.monitor_program.empty())
    config.monitor_program = sys::join_path(sys::dir_name(own_program), "skiff-monitor");
}

/// Numbers of transfers: at least one, and no more than a machine has threads for.
Result<void> check_transfers(spec::RegistrySettings& registries, const Numbers& numbers) {
  constexpr std::int64_t kMost = 256;
  const auto take = [](int& to, std::int64_t number, std::string_view what) -> Result<void> {
    if (number < 1 || number > kMost) return fail(Kind::InvalidArgument, "invalid {}: {}", what, number);
    to = static_cast<int>(number);
    return {};
  };
  TRY(take(registries.concurrent_downloads, numbers.downloads, "max concurrent downloads"));
  TRY(take(registries.concurrent_uploads, numbers.uploads, "max concurrent uploads"));
  return take(registries.attempts, numbers.attempts, "max download attempts");
}

/// A proxy is an address, with or without a scheme that can be spoken.
Result<void> check_proxy(std::string_view what, std::string_view url) {
  const auto scheme = url.find("://");
  const std::string_view name = scheme == std::string_view::npos ? "http" : url.substr(0, scheme);
  const std::string_view rest = scheme == std::string_view::npos ? url : url.substr(scheme + 3);
  const bool known = name == "http" || name == "https" || name == "socks5" || name == "socks5h";
  if (url.empty() ||
      (known && !rest.empty() && !rest.starts_with('/') && url.find(' ') == std::string_view::npos))
    return {};
  // It may hold a password: the value stays out of the sentence.
  return fail(Kind::InvalidArgument, "invalid {}: expected a URL such as http://proxy.example:3128", what);
}

Result<void> check_layers(spec::LayerLimits& limits, const Numbers& numbers) {
  const auto take = [](std::uint64_t& to, std::int64_t number, std::string_view what) -> Result<void> {
    if (number < 0)
      return fail(Kind::InvalidArgument, "invalid {} {}: must not be negative (0: no limit)", what, number);
    to = static_cast<std::uint64_t>(number);
    return {};
  };
  TRY(take(limits.bytes, numbers.layer_bytes, "layer-max-size"));
  TRY(take(limits.entries, numbers.layer_entries, "layer-max-entries"));
  return take(limits.ratio, numbers.layer_ratio, "layer-max-ratio");
}

Result<void> check(Options& options, const Numbers& numbers) {
  auto& config = options.config;
  TRY(check_transfers(config.registries, numbers));
  TRY(check_proxy("http-proxy", options.proxies.http));
  TRY(check_proxy("https-proxy", options.proxies.https));
  TRY(check_layers(config.layer_limits, numbers));
  if (numbers.mtu < 68 || numbers.mtu > 65535)
    return fail(Kind::InvalidArgument, "invalid MTU {}: must be between 68 and 65535", numbers.mtu);
  config.mtu = static_cast<int>(numbers.mtu);
  if (numbers.log_level == "debug")
    config.debug = true;
  else if (numbers.log_level != "info" && numbers.log_level != "warn" && numbers.log_level != "error" &&
           numbers.log_level != "fatal")
    return fail(Kind::InvalidArgument, "invalid logging level: {}", numbers.log_level);
  for (const auto* path : {&config.data_root, &config.exec_root})
    if (!path->starts_with('/'))
      return fail(Kind::InvalidArgument, "{}: data-root and exec-root must be absolute paths", *path);
  if (config.max_body_bytes < 1024)
    return fail(Kind::InvalidArgument, "invalid max-body-bytes {}: must be at least 1024",
                config.max_body_bytes);
  if (!config.bip.empty() && config.bridge == "none")
    return Error(Kind::InvalidArgument, "bip needs a default bridge, but bridge is \"none\"");
  TRY(spec::check_cgroup_parent(config, config.cgroup_parent));
  const auto& drivers = engine::log_drivers();
  if (config.log_driver != "none" &&
      std::find(drivers.begin(), drivers.end(), config.log_driver) == drivers.end())
    return fail(Kind::InvalidArgument, "logger: no log driver named '{}' is registered", config.log_driver);
  TRY_CONTEXT(engine::check_log_options(config.log_driver, config.log_options), "failed to set log opts");
  if (config.default_runtime.empty()) config.default_runtime = spec::kOwnRuntime;
  if (!engine::find_runtime(config, config.default_runtime))
    return fail(Kind::InvalidArgument, "specified default runtime '{}' does not exist",
                config.default_runtime);
  if (!config.policy_file.empty()) (void)TRY(image::read_policy(config.policy_file));
  for (const auto& label : config.labels)
    if (label.find('=') == std::string::npos || label.starts_with('='))
      return fail(Kind::InvalidArgument, "bad attribute format: {}", label);
  return {};
}

}  // namespace

Result<Options> read_options(const std::vector<std::string>& arguments, const std::string& own_program) {
  Options options;
  Numbers numbers;
  cli::FlagSet flags;
  add_flags(flags, options, numbers);
  const auto parsed = TRY(flags.parse(arguments));
  if (options.help || parsed.help) {
    options.help = true;
    options.help_text = flags.usages(100);
    return options;
  }
  if (!parsed.arguments.empty())
    return fail(Kind::InvalidArgument, "\"skiffd\" accepts no arguments, but got {}",
                quote(parsed.arguments.front()));
  if (options.version) return options;
  TRY_CONTEXT(merge_file(options, flags), "unable to configure the daemon with file {}", options.config_file);
  TRY(check(options, numbers));
  complete(options.config, own_program);
  return options;
}

Result<bool> read_debug(const std::string& config_file, bool otherwise) {
  if (!sys::exists(config_file)) return otherwise;
  const auto value = TRY_CONTEXT(read_file(config_file), "{}", config_file);
  const auto* debug = value.get_object().if_contains("debug");
  return debug && debug->is_bool() ? debug->get_bool() : otherwise;
}

}  // namespace skiff::daemon
