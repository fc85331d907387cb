// What the options of a container's log driver come to: addresses resolved, templates filled in, labels and
// variables picked.
#include <netdb.h>
#include <unistd.h>

#include <cmath>
#include <regex>

#include "base/strings.h"
#include "engine/host_facts.h"
#include "engine/log_options.h"
#include "monitor/json_log_reader.h"
#include "monitor/log_reader.h"

namespace skiff::engine {
namespace {

using Options = std::map<std::string, std::string>;
using Fields = std::map<std::string, std::string>;

std::string value_of(const Options& options, const std::string& name, std::string otherwise = {}) {
  const auto found = options.find(name);
  return found == options.end() || found->second.empty() ? std::move(otherwise) : found->second;
}

bool flag_of(const Options& options, const std::string& name, bool otherwise) {
  const std::string text = value_of(options, name);
  return text.empty() ? otherwise : text == "1" || to_lower(text).starts_with('t');
}

/// Docker counts json-file's sizes in thousands, all others in units of 1024.
std::uint64_t decimal_size(const std::string& text) {
  const auto digits = text.find_last_of("0123456789. ");
  const double number = parse_double(trim(std::string_view(text).substr(0, digits + 1))).value_or(0);
  const std::string unit = to_lower(std::string_view(text).substr(digits + 1));
  const auto power = unit.empty() ? 0 : std::string_view("bkmgtp").find(unit[0]);
  return static_cast<std::uint64_t>(number * std::pow(1000.0, static_cast<double>(power)));
}

/// What Go says of an expression that does not compile.
std::string regex_words(const std::regex_error& error, const std::string& text) {
  std::string_view what = "invalid or unsupported syntax";
  if (error.code() == std::regex_constants::error_brack) what = "missing closing ]";
  if (error.code() == std::regex_constants::error_paren) what = "missing closing )";
  return fmt::format("error parsing regexp: {}: `{}`", what, text);
}

/// Adds the members of `from` that are listed or match the expression.
Result<void> pick(const Fields& from, const std::string& list, const std::string& expression,
                  Fields& picked) {
  if (!list.empty()) {
    for (const std::string& name : split(list, ',')) {
      if (const auto found = from.find(name); found != from.end()) picked.insert(*found);
    }
  }
  if (expression.empty()) return {};
  try {
    const std::regex wanted(expression, std::regex::ECMAScript);
    for (const auto& [name, value] : from) {
      if (std::regex_search(name, wanted)) picked.insert_or_assign(name, value);
    }
  } catch (const std::regex_error& error) {
    return Error(Kind::InvalidArgument, regex_words(error, expression));
  }
  return {};
}

Result<Fields> extra_attributes(const Options& options, const Definition& definition) {
  Fields picked;
  TRY(pick(definition.config.labels, value_of(options, "labels"), value_of(options, "labels-regex"), picked));
  Fields variables;
  for (const std::string& variable : definition.config.env) {
    const auto [name, value] = cut(variable, '=');
    if (value) variables.insert_or_assign(std::string(name), std::string(*value));
  }
  TRY(pick(variables, value_of(options, "env"), value_of(options, "env-regex"), picked));
  return picked;
}

/// Numeric addresses of a host name.
Result<std::vector<std::string>> addresses_of(const std::string& network, const HostPort& host,
                                              const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = network == "udp" ? SOCK_DGRAM : SOCK_STREAM;
  addrinfo* found = nullptr;
  const int code =
      ::getaddrinfo(host.host.empty() ? "127.0.0.1" : host.host.c_str(), port.c_str(), &hints, &found);
  if (code != 0) {
    return fail(Kind::InvalidArgument, "dial {}: lookup {}: {}", network, host.host,
                code == EAI_NONAME ? "no such host" : ::gai_strerror(code));
  }
  std::vector<std::string> addresses;
  for (const addrinfo* info = found; info; info = info->ai_next) {
    char text[NI_MAXHOST];
    char number[NI_MAXSERV];
    if (::getnameinfo(info->ai_addr, info->ai_addrlen, text, sizeof(text), number, sizeof(number),
                      NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
      continue;
    }
    addresses.push_back(info->ai_family == AF_INET6 ? fmt::format("[{}]:{}", text, number)
                                                    : fmt::format("{}:{}", text, number));
  }
  ::freeaddrinfo(found);
  return addresses;
}

Result<monitor::LogTarget> target_of(const std::string& address, const std::string& default_port) {
  const LogUrl url = TRY(parse_log_url(address));
  monitor::LogTarget target{.network = url.scheme, .addresses = {}};
  if (url.scheme.starts_with("unix")) {
    target.addresses.push_back(url.path);
    return target;
  }
  const HostPort host = TRY(split_host_port(url.host));
  target.addresses = TRY(addresses_of(url.scheme, host, host.port.empty() ? default_port : host.port));
  return target;
}

/// Fields of the journal are capitals, digits and underscores, not at the beginning.
std::string journal_name(std::string_view name) {
  std::string field;
  for (const char c : to_upper(name)) {
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (plain || !field.empty()) field += plain ? c : '_';
  }
  return field;
}

std::string command_of(const Definition& definition) {
  std::string command = definition.path;
  for (const std::string& argument : definition.args) command += " " + argument;
  return command;
}

Result<void> check_file(const std::string& path, const std::string& context) {
  if (const int code = ::access(path.c_str(), R_OK) == 0 ? 0 : errno)
    return Error::from_errno(fmt::format("{}: open {}", context, path), code);
  return {};
}

/// With the authorities that the system trusts.
Result<monitor::LogTls> tls_to(const std::string& server, const spec::EngineConfig& engine) {
  monitor::LogTls tls;
  char program[4096];
  const ssize_t length = ::readlink("/proc/self/exe", program, sizeof program);
  if (length <= 0) return fail_errno("read /proc/self/exe");
  tls.program.assign(program, static_cast<std::size_t>(length));
  tls.server_name = server.empty() ? "127.0.0.1" : server;
  tls.environment = engine.certificate_variables;
  return tls;
}

/// Files are looked at here, so that a wrong name ends the start, as in Docker; the certificates themselves
/// are read for each connection.
Result<monitor::LogTls> syslog_tls(const Options& options, const std::string& server,
                                   const spec::EngineConfig& engine) {
  auto tls = TRY(tls_to(server, engine));
  tls.skip_verify = options.contains("syslog-tls-skip-verify");  // whatever its value
  tls.ca = value_of(options, "syslog-tls-ca-cert");
  tls.cert = value_of(options, "syslog-tls-cert");
  tls.key = value_of(options, "syslog-tls-key");
  if (!tls.ca.empty() && !tls.skip_verify)
    TRY(check_file(tls.ca, fmt::format("could not read CA certificate {}", quote(tls.ca))));
  if (tls.cert.empty() && tls.key.empty()) return tls;
  for (const auto& file : {tls.cert, tls.key}) TRY(check_file(file, "Could not load X509 key pair"));
  return tls;
}

Result<void> fill_syslog(monitor::LogSettings& settings, const Options& options,
                         const spec::EngineConfig& engine) {
  const std::string address = value_of(options, "syslog-address");
  settings.target = address.empty()
                        ? monitor::LogTarget{"unixgram", {"/dev/log", "/var/run/syslog", "/var/run/log"}}
                        : TRY(target_of(address, "514"));
  if (settings.target.network == "tcp+tls") {
    const auto url = TRY(parse_log_url(address));
    settings.target.tls = TRY(syslog_tls(options, TRY(split_host_port(url.host)).host, engine));
  }
  const int facility = syslog_facility(value_of(options, "syslog-facility", "daemon")).value_or(3);
  settings.options = {{"format", value_of(options, "syslog-format")}, {"facility", std::to_string(facility)}};
  settings.fields.clear();
  return {};
}

Result<void> fill_journald(monitor::LogSettings& settings, const Definition& definition) {
  settings.target = {"unixgram", {"/run/systemd/journal/socket"}};
  Fields fields = {{"CONTAINER_ID", definition.id.substr(0, 12)}, {"CONTAINER_ID_FULL", definition.id},
                   {"CONTAINER_NAME", definition.name},           {"CONTAINER_TAG", settings.tag},
                   {"IMAGE_NAME", definition.config.image},       {"SYSLOG_IDENTIFIER", settings.tag}};
  for (const auto& [name, value] : settings.fields) {
    if (std::string field = journal_name(name); !field.empty())
      fields.insert_or_assign(std::move(field), value);
  }
  settings.fields = std::move(fields);
  return {};
}

Result<void> fill_fluentd(monitor::LogSettings& settings, const Options& options,
                          const Definition& definition, const spec::EngineConfig& engine) {
  std::string address = value_of(options, "fluentd-address", "tcp://127.0.0.1:24224");
  if (address.find("://") == std::string::npos) address = "tcp://" + address;
  const bool tls = address.starts_with("tls://");
  if (tls) address.replace(0, 3, "tcp");
  settings.target = TRY(target_of(address, "24224"));
  if (tls) {
    settings.target.network = "tcp+tls";
    const auto url = TRY(parse_log_url(address));
    settings.target.tls = TRY(tls_to(TRY(split_host_port(url.host)).host, engine));
  }
  settings.fields.try_emplace("container_id", definition.id);
  settings.fields.try_emplace("container_name", "/" + definition.name);
  settings.options = {{"sub-second", flag_of(options, "fluentd-sub-second-precision", false) ? "true" : ""},
                      {"acknowledge", flag_of(options, "fluentd-request-ack", false) ? "true" : ""}};
  if (const std::string limit = value_of(options, "fluentd-buffer-limit"); !limit.empty())
    settings.buffer_bytes = static_cast<std::uint64_t>(parse_ram_size(limit).value_or(1 << 20));
  return {};
}

Result<void> fill_gelf(monitor::LogSettings& settings, const Options& options, const Definition& definition) {
  settings.target = TRY(target_of(value_of(options, "gelf-address"), "12201"));
  Fields fields = {{"_container_id", definition.id},
                   {"_container_name", definition.name},
                   {"_image_id", definition.image},
                   {"_image_name", definition.config.image},
                   {"_command", command_of(definition)},
                   {"_tag", settings.tag},
                   {"_created", format_rfc3339(definition.created)}};
  for (const auto& [name, value] : settings.fields)
    fields.insert_or_assign(name.starts_with('_') ? name : "_" + name, value);
  settings.fields = std::move(fields);
  settings.options = {{"compression", value_of(options, "gelf-compression-type", "gzip")},
                      {"level", value_of(options, "gelf-compression-level", "1")}};
  return {};
}

/// The local log, or with "cache-" the one kept beside a driver that cannot be read.
void fill_local(monitor::LogSettings& settings, const Options& options, const std::string& prefix) {
  if (const std::string size = value_of(options, prefix + "max-size"); !size.empty())
    settings.max_bytes = static_cast<std::uint64_t>(parse_ram_size(size).value_or(20 << 20));
  settings.max_files = static_cast<int>(parse_int(value_of(options, prefix + "max-file", "5")).value_or(5));
  settings.compress = settings.max_files > 1 && flag_of(options, prefix + "compress", true);
}

}  // namespace

Result<std::string> log_tag(std::string_view text, const Definition& definition) {
  const Fields known = {{"ID", definition.id.substr(0, 12)},
                        {"FullID", definition.id},
                        {"Name", definition.name},
                        {"ContainerName", "/" + definition.name},
                        {"ContainerID", definition.id},
                        {"ImageName", definition.config.image},
                        {"ContainerImageName", definition.config.image},
                        {"ImageID", definition.image.substr(0, 12)},
                        {"ImageFullID", definition.image},
                        {"ContainerImageID", definition.image},
                        {"ContainerEntrypoint", definition.path},
                        {"Command", command_of(definition)},
                        {"DaemonName", "docker"},
                        {"Hostname", host_facts().hostname}};
  std::string filled;
  while (true) {
    const auto open = text.find("{{");
    filled += text.substr(0, open);
    if (open == std::string_view::npos) return filled;
    text.remove_prefix(open + 2);
    const auto close = text.find("}}");
    if (close == std::string_view::npos)
      return fail(Kind::InvalidArgument, "template: log-tag:1: unclosed action");
    const std::string_view action = trim(text.substr(0, close));
    text.remove_prefix(close + 2);
    const auto field = known.find(action.starts_with('.') ? std::string(action.substr(1)) : std::string());
    if (field == known.end()) {
      return fail(
          Kind::InvalidArgument,
          "template: log-tag:1: executing \"log-tag\" at <{}>: can't evaluate it: a log tag knows the fields "
          "of "
          "the container (.ID, .FullID, .Name, .ImageName, .ImageID, .ImageFullID, .Command, .DaemonName)",
          action);
    }
    filled += field->second;
  }
}

std::string log_path(const spec::EngineConfig& config, const Definition& definition) {
  if (definition.host.log_config.type != "json-file") return {};
  return fmt::format("{}/{}-json.log", container_directory(config, definition.id), definition.id);
}

Result<std::unique_ptr<monitor::LogSource>> open_log(const spec::EngineConfig& config,
                                                     const Definition& definition,
                                                     const monitor::LogQuery& query) {
  using Source = std::unique_ptr<monitor::LogSource>;
  if (const std::string path = log_path(config, definition); !path.empty())
    return Source(TRY(monitor::JsonLogReader::open(path, query)));
  return Source(std::make_unique<monitor::LogReader>(
      TRY(monitor::LogReader::open(container_directory(config, definition.id) + "/log", query))));
}

Result<monitor::LogSettings> log_settings(const spec::EngineConfig& config, const Definition& definition) {
  const Options& options = definition.host.log_config.config;
  monitor::LogSettings settings;
  settings.driver = definition.host.log_config.type;
  if (settings.driver == "none") return settings;
  settings.fields = TRY(extra_attributes(options, definition));
  settings.host_name = host_facts().hostname;
  settings.blocking = value_of(options, "mode") != "non-blocking";
  if (const std::string size = value_of(options, "max-buffer-size"); !size.empty())
    settings.buffer_bytes = static_cast<std::uint64_t>(parse_ram_size(size).value_or(1 << 20));
  if (settings.driver == "json-file") {
    settings.path = log_path(config, definition);
    const std::string size = value_of(options, "max-size");
    settings.max_bytes = size.empty() ? 0 : decimal_size(size);
    settings.max_files = static_cast<int>(parse_int(value_of(options, "max-file", "1")).value_or(1));
    settings.compress = flag_of(options, "compress", false);
    if (const std::string tag = value_of(options, "tag"); !tag.empty())
      settings.fields.insert_or_assign("tag", TRY(log_tag(tag, definition)));
    return settings;
  }
  if (log_is_readable(definition.host.log_config))
    settings.directory = container_directory(config, definition.id) + "/log";
  fill_local(settings, options, settings.driver == "local" ? "" : "cache-");
  if (settings.driver == "local") return settings;
  settings.tag = TRY(log_tag(value_of(options, "tag", "{{.ID}}"), definition));
  if (settings.driver == "syslog") TRY(fill_syslog(settings, options, config));
  if (settings.driver == "journald") TRY(fill_journald(settings, definition));
  if (settings.driver == "fluentd") TRY(fill_fluentd(settings, options, definition, config));
  if (settings.driver == "gelf") TRY(fill_gelf(settings, options, definition));
  return settings;
}

}  // namespace skiff::engine
