#include "cmd/registry/options.h"

#include <algorithm>
#include <cstdlib>

#include "base/clock.h"
#include "base/strings.h"
#include "cli/flags.h"
#include "cmd/registry/config_file.h"
#include "http/address.h"
#include "registry/server/registry_upstream.h"
#include "registry/server/route.h"
#include "sys/file.h"

namespace skiff::registry_options {

namespace s3 = registry::server::s3;

namespace {

constexpr std::string_view kDefaultListen = "127.0.0.1:5000";
/// Flags that mean nothing in a file.
constexpr std::string_view kOnlyFlags[] = {"config-file", "validate", "version", "help"};

/// Values on their way into Options.
struct Raw {
  std::int64_t upload_expiry = 0;
  std::int64_t interval = 0;
  std::int64_t grace = 0;
  std::int64_t quota = 0;
  registry::server::TokenSettings token;
  std::vector<std::string> upstreams;  ///< "docker.io", "prefix=registry.example", "=docker.io"
};

/// "host:port", ":port", "tcp://host:port" or "unix:///path".
Result<std::string> check_address(std::string_view text) {
  const bool bare = text.find("://") == std::string_view::npos;
  if (bare && text.find(':') == std::string_view::npos)
    return fail(Kind::InvalidArgument, "invalid address {}: expected HOST:PORT or unix://PATH", quote(text));
  return TRY(http::Address::parse(bare ? "tcp://" + std::string(text) : std::string(text))).to_string();
}

void add_serving_flags(cli::FlagSet& flags, Options& options) {
  flags.string(options.registry.access_log, "access-log", 0,
               "File for a line per request; \"-\" for standard output");
  flags.string(options.config_file, "config-file", 0, "Configuration file")
      .show_default("\"" + options.config_file + "\"");
  flags.boolean(options.debug, "debug", 'D', "Enable debug mode");
  flags.boolean(options.help, "help", 'h', "Print usage");
  flags.list(options.listen, "listen", 'l', "Address to serve on", check_address)
      .show_default(std::string(kDefaultListen));
  flags.integer(options.max_connections, "max-connections", 0, "Connections at a time").show_default("4096");
  flags.string(options.metrics_listen, "metrics-listen", 0, "Address for /metrics and /healthz alone");
  flags.boolean(options.registry.read_only, "read-only", 0, "Refuse pushes and deletions");
  flags.string(options.root, "root", 0, "Directory of the registry's data")
      .show_default("\"" + options.root + "\"");
  flags.duration(options.stop_timeout, "stop-timeout", "How long requests may take to end after SIGTERM")
      .show_default("30s");
  flags.string(options.tls.certificate, "tls-cert", 0, "PEM file with the certificate chain: serve over TLS");
  flags.string(options.tls.client_ca, "tls-client-ca", 0,
               "PEM file: clients need a certificate of these authorities");
  flags.string(options.tls.key, "tls-key", 0, "PEM file with the private key");
  flags.boolean(options.validate, "validate", 0, "Validate the configuration and exit");
  flags.boolean(options.version, "version", 'v', "Print version information and quit");
}

void add_flags(cli::FlagSet& flags, Options& options, Raw& raw) {
  add_serving_flags(flags, options);
  flags.string(options.engine, "engine", 0,
               "Serve the images of the engine at this address, read-only (unix:///run/skiff/skiff.sock)");
  flags.duration(raw.grace, "gc-grace", "Keep for so long what nobody refers to").show_default("1h");
  flags.duration(raw.interval, "gc-interval", "Time between garbage collections; 0 for none")
      .show_default("24h");
  flags.boolean(options.care.collect_untagged, "gc-untagged", 0, "Collect manifests without a tag as well");
  flags.string(options.registry.authentication.htpasswd, "htpasswd", 0, "File with users and bcrypt hashes");
  flags.bytes(raw.quota, "quota", 0, "Bytes that all repositories may have together");
  flags.string(options.s3.bucket, "s3-bucket", 0, "Keep the data in this bucket of an object store");
  flags.string(options.s3.endpoint, "s3-endpoint", 0, "URL of the object store");
  flags.string(options.s3.prefix, "s3-prefix", 0, "What the names of all objects begin with");
  flags.string(options.s3.region, "s3-region", 0, "The object store's region").show_default("\"us-east-1\"");
  flags.string(raw.token.issuer, "token-issuer", 0, "Who issues the tokens");
  flags.string(raw.token.keys, "token-keys", 0, "PEM file with the issuer's certificates or public keys");
  flags.string(raw.token.realm, "token-realm", 0, "URL where clients get tokens");
  flags.string(raw.token.service, "token-service", 0, "This registry's name in tokens");
  flags.list(raw.upstreams, "upstream", 0,
             "Keep copies of the images of another registry ([PREFIX=]REGISTRY)");
  flags
      .duration(raw.upload_expiry, "upload-expiry",
                "Give up uploads that have not grown for so long; 0 for never")
      .show_default("168h");
}

Result<void> add_quotas(Options& options, const ConfigFile& file) {
  for (const auto& quota : file.quotas) {
    const auto size = parse_ram_size(quota.size);
    if (!size || *size <= 0 || quota.repositories.empty())
      return fail(Kind::InvalidArgument, "quotas: each line needs repositories and a size, not {}",
                  quote(quota.size));
    options.registry.quotas.push_back({quota.repositories, static_cast<std::uint64_t>(*size)});
  }
  return {};
}

Result<void> add_upstream(Options& options, const FileUpstream& upstream) {
  const std::string prefix = upstream.prefix.value_or(upstream.registry);
  if (upstream.registry.empty() || !(prefix.empty() || registry::server::is_repository_name(prefix)))
    return fail(Kind::InvalidArgument, "upstream {}: {} cannot be the beginning of a name; give another one",
                quote(upstream.registry), quote(prefix));
  const auto fresh = parse_duration(upstream.fresh);
  if (!fresh || *fresh < std::chrono::nanoseconds(0))
    return fail(Kind::InvalidArgument, "upstream {}: invalid duration {}", quote(upstream.registry),
                quote(upstream.fresh));
  registry::Credentials credentials;
  credentials.user = upstream.user;
  if (!upstream.password_file.empty())
    credentials.password = trim(TRY(sys::read_file(upstream.password_file, 64 << 10)));
  registry::Settings settings;
  if (upstream.insecure) settings.insecure.push_back(upstream.registry);
  options.registry.caches.push_back({prefix,
                                     registry::server::make_registry_upstream(
                                         upstream.registry, std::move(credentials), std::move(settings)),
                                     std::chrono::duration_cast<std::chrono::seconds>(*fresh)});
  return {};
}

/// What --upstream says.
FileUpstream parse_upstream(const std::string& text) {
  const auto [first, second] = cut(text, '=');
  FileUpstream out;
  out.registry = second.value_or(first);
  if (second) out.prefix = std::string(first);
  return out;
}

Result<void> merge_file(Options& options, cli::FlagSet& flags) {
  if (!flags.changed("config-file") && !sys::exists(options.config_file)) return {};
  auto file = TRY(read_config_file(options.config_file));
  std::vector<std::string> given;
  for (const auto& flag : flags.all())
    if (flag->changed) given.push_back(flag->name);
  for (const auto& [name, values] : file.flags) {
    auto* flag = flags.find(name);
    if (!flag || std::find(std::begin(kOnlyFlags), std::end(kOnlyFlags), name) != std::end(kOnlyFlags))
      return fail(Kind::InvalidArgument, "{} is no configuration option", quote(name));
    if (std::find(given.begin(), given.end(), name) != given.end()) continue;
    for (const auto& value : values) TRY_CONTEXT(flag->set(value), "{}", name);
  }
  options.registry.authentication.rights = std::move(file.access);
  for (const auto& upstream : file.upstreams) TRY(add_upstream(options, upstream));
  return add_quotas(options, file);
}

Result<void> take_token(Options& options, const registry::server::TokenSettings& token) {
  const auto& t = token;
  if (t.issuer.empty() && t.keys.empty() && t.realm.empty() && t.service.empty()) return {};
  if (t.issuer.empty() || t.keys.empty() || t.realm.empty() || t.service.empty())
    return Error(Kind::InvalidArgument,
                 "tokens need all of --token-issuer, --token-keys, --token-realm and --token-service");
  options.registry.authentication.token = token;
  return {};
}

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value ? value : "";
}

/// The keys come from where Amazon's own tools look for them: on a command line everybody would see them.
Result<void> take_store(s3::Settings& s3) {
  if (s3.bucket.empty() && s3.endpoint.empty() && s3.prefix.empty()) return {};
  if (s3.bucket.empty() || s3.endpoint.empty())
    return Error(Kind::InvalidArgument, "an object store needs both --s3-bucket and --s3-endpoint");
  if (!s3.endpoint.starts_with("http://") && !s3.endpoint.starts_with("https://"))
    return fail(Kind::InvalidArgument, "invalid object store {}: expected http:// or https://",
                quote(s3.endpoint));
  while (s3.endpoint.ends_with('/')) s3.endpoint.pop_back();
  if (!s3.prefix.empty() && !s3.prefix.ends_with('/')) s3.prefix += '/';
  s3.credentials = {environment("AWS_ACCESS_KEY_ID"), environment("AWS_SECRET_ACCESS_KEY"),
                    environment("AWS_SESSION_TOKEN")};
  if (s3.credentials.key_id.empty() || s3.credentials.secret.empty())
    return Error(Kind::InvalidArgument,
                 "an object store needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment");
  return {};
}

/// An engine's images are what they are: nothing is kept beside them, and nobody changes them here.
Result<void> take_engine(Options& options) {
  if (options.engine.empty()) return {};
  if (!options.s3.bucket.empty() || !options.registry.caches.empty())
    return Error(
        Kind::InvalidArgument,
        "--engine cannot be used with --upstream or --s3-bucket: an engine's images are served alone");
  options.engine = TRY(http::Address::parse(options.engine)).to_string();
  options.registry.read_only = true;
  options.care.interval = options.care.upload_expiry = std::chrono::nanoseconds(0);
  return {};
}

Result<void> complete(Options& options, const Raw& raw) {
  using std::chrono::nanoseconds;
  if (options.tls.certificate.empty() != options.tls.key.empty())
    return Error(Kind::InvalidArgument, "TLS needs both --tls-cert and --tls-key");
  if (!options.tls.client_ca.empty() && options.tls.key.empty())
    return Error(Kind::InvalidArgument, "--tls-client-ca needs --tls-cert and --tls-key");
  if (!options.root.starts_with('/'))
    return fail(Kind::InvalidArgument, "{}: root must be an absolute path", options.root);
  if (options.max_connections < 1)
    return fail(Kind::InvalidArgument, "invalid max-connections {}: must be at least 1",
                options.max_connections);
  if (raw.upload_expiry < 0 || raw.interval < 0 || raw.grace < 0 || options.stop_timeout < 0)
    return Error(Kind::InvalidArgument, "durations must not be negative");
  TRY(take_store(options.s3));
  for (const auto& text : raw.upstreams) TRY(add_upstream(options, parse_upstream(text)));
  auto& authentication = options.registry.authentication;
  TRY(take_token(options, raw.token));
  if (!authentication.rights.empty() && authentication.htpasswd.empty())
    return Error(Kind::InvalidArgument, "access: rights need users; name their file with --htpasswd");
  options.care.upload_expiry = nanoseconds(raw.upload_expiry);
  options.care.interval = nanoseconds(raw.interval);
  options.registry.grace = std::chrono::duration_cast<std::chrono::seconds>(nanoseconds(raw.grace));
  TRY(take_engine(options));
  if (raw.quota > 0) options.registry.quotas.push_back({{"*"}, static_cast<std::uint64_t>(raw.quota)});
  if (options.listen.empty()) options.listen.push_back(TRY(check_address(kDefaultListen)));
  if (!options.metrics_listen.empty()) options.metrics_listen = TRY(check_address(options.metrics_listen));
  return {};
}

}  // namespace

Result<Options> read_options(const std::vector<std::string>& arguments) {
  Options options;
  Raw raw{options.care.upload_expiry.count(),
          options.care.interval.count(),
          std::chrono::nanoseconds(options.registry.grace).count(),
          0,
          {}};
  cli::FlagSet flags;
  add_flags(flags, options, raw);
  const auto parsed = TRY(flags.parse(arguments));
  if (options.help || parsed.help) {
    options.help = true;
    options.help_text = flags.usages(100);
    return options;
  }
  if (!parsed.arguments.empty())
    return fail(Kind::InvalidArgument, "\"skiff registry serve\" accepts no arguments, but got {}",
                quote(parsed.arguments.front()));
  if (options.version) return options;
  TRY_CONTEXT(merge_file(options, flags), "configuration file {}", options.config_file);
  TRY(complete(options, raw));
  return options;
}

}  // namespace skiff::registry_options
