#include <ctime>

#include "base/strings.h"
#include "cli/commands/resource_entries.h"
#include "cli/commands/resource_support.h"
#include "spec/program_version.h"

namespace skiff::cli {

namespace {

namespace docker = spec::docker;

std::string machine() {
#if defined(__aarch64__)
  return "arm64";
#else
  return "amd64";
#endif
}

/// "Tue Sep 15 11:02:57 2026" from RFC 3339; anything else as it is.
std::string build_time(const std::string& text) {
  const auto time = parse_rfc3339(text);
  if (!time) return text;
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(*time).time_since_epoch().count();
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char out[64];
  return std::string(out, std::strftime(out, sizeof out, "%a %b %e %H:%M:%S %Y", &parts));
}

json::Object client_facts(Cli& cli, const std::string& api_version) {
  return {{"Version", spec::program_version()},
          {"ApiVersion", api_version},
          {"DefaultAPIVersion", api_version},
          {"GitCommit", spec::program_commit()},
          {"GoVersion", ""},
          {"Os", "linux"},
          {"Arch", machine()},
          {"BuildTime", build_time(std::string(spec::program_time()))},
          {"Context", cli.context_name()}};
}

/// --format of version and info: one object, "json" or a template.
Result<int> print_object(Cli& cli, const std::string& format, const json::Object& object,
                         std::string_view go_type) {
  const json::Value value = object;
  if (format == "json") {
    cli.out.write(json::to_text(value) + "\n");
    return 0;
  }
  auto parsed = Template::parse(unescape_format(format));
  if (!parsed.ok()) {
    cli.err.print("template parsing error: {}\n", parsed.error().message());
    return 64;
  }
  TemplateOptions options;
  options.root_type = go_type;
  std::string text;
  auto done = parsed->execute(value, options, text);
  cli.out.write(text + "\n");
  if (!done.ok()) return std::move(done).error();
  return 0;
}

class Version : public Command {
 public:
  Version() { flags.string(format_, "format", 'f', kFormatUsage); }

  Result<int> run(Cli& cli, const Arguments&) override {
    client::Client& engine = *TRY(cli.engine());
    auto server = engine.version_info();
    if (!format_.empty()) {
      // Left out of the text when false, but templates may ask for it.
      if (server.ok() && server->is_object() && format_ != "json")
        server->get_object().emplace("Experimental", false);
      json::Object object{{"Client", client_facts(cli, engine.version())}};
      object.emplace("Server", server.ok() ? *server : json::Value(nullptr));
      const int code = TRY(print_object(cli, format_, object, "system.versionInfo"));
      if (!server.ok()) return std::move(server).error();
      return code;
    }
    print_client(cli, engine.version());
    if (!server.ok()) return std::move(server).error();
    print_server(cli, TRY(json::from_value<docker::Version>(*std::move(server))));
    return 0;
  }

 private:
  static void line(Cli& cli, std::string_view indent, std::string_view name, std::string_view value) {
    cli.out.print("{}{:<{}}{}\n", indent, fmt::format("{}:", name), 20 - indent.size(), value);
  }

  static void print_client(Cli& cli, const std::string& api_version) {
    cli.out.write("Client:\n");
    line(cli, " ", "Version", spec::program_version());
    line(cli, " ", "API version", api_version);
    line(cli, " ", "Git commit", spec::program_commit());
    if (!spec::program_time().empty()) line(cli, " ", "Built", build_time(std::string(spec::program_time())));
    line(cli, " ", "OS/Arch", "linux/" + machine());
    line(cli, " ", "Context", cli.context_name());
  }

  static void print_server(Cli& cli, const docker::Version& version) {
    cli.out.write("\nServer:");
    if (!version.platform.name.empty()) cli.out.write(" " + version.platform.name);
    cli.out.write("\n");
    for (const auto& component : version.components) {
      cli.out.print(" {}:\n", component.name);
      line(cli, "  ", "Version", component.version);
      const auto detail = [&](const char* name) {
        const auto found = component.details.find(name);
        return found == component.details.end() ? std::string() : found->second;
      };
      if (component.details.count("ApiVersion") > 0) {
        line(cli, "  ", "API version",
             fmt::format("{} (minimum version {})", detail("ApiVersion"), detail("MinAPIVersion")));
        if (!detail("GoVersion").empty()) line(cli, "  ", "Go version", detail("GoVersion"));
        line(cli, "  ", "Git commit", detail("GitCommit"));
        if (!detail("BuildTime").empty()) line(cli, "  ", "Built", build_time(detail("BuildTime")));
        line(cli, "  ", "OS/Arch", detail("Os") + "/" + detail("Arch"));
        line(cli, "  ", "Experimental", detail("Experimental"));
      } else {
        for (const auto& [name, value] : component.details) line(cli, "  ", name, value);
      }
    }
  }

  std::string format_;
};

class Info : public Command {
 public:
  Info() { flags.string(format_, "format", 'f', kFormatUsage); }

  Result<int> run(Cli& cli, const Arguments&) override {
    client::Client& engine = *TRY(cli.engine());
    if (!format_.empty()) {
      auto value = TRY(engine.info());
      if (!value.is_object()) return Error(Kind::Unavailable, "the engine's answer is no object");
      json::Object object = value.get_object();
      json::Object facts = client_facts(cli, engine.version());
      facts.insert_or_assign("Debug", cli.globals.debug);
      facts.insert_or_assign("Plugins", json::Array());
      facts.insert_or_assign("Warnings", nullptr);
      object.insert_or_assign("ClientInfo", std::move(facts));
      return print_object(cli, format_, object, "system.dockerInfo");
    }
    cli.out.print("Client:\n Version:    {}\n Context:    {}\n Debug Mode: {}\n\nServer:\n",
                  spec::program_version(), cli.context_name(), cli.globals.debug);
    auto value = TRY(engine.info());
    std::vector<std::string> cdi;
    if (value.is_object())
      if (const json::Value* found = value.get_object().if_contains("CDISpecDirs");
          found && found->is_array())
        for (const auto& element : found->get_array())
          if (element.is_string()) cdi.emplace_back(element.get_string());
    const auto info = TRY(json::from_value<docker::Info>(std::move(value)));
    print_state(cli, info);
    if (!cdi.empty()) cli.out.print(" CDI spec directories:\n  {}\n", join(cdi, "\n  "));
    print_runtimes(cli, info);
    print_host(cli, info);
    for (const auto& warning : info.warnings) cli.err.write(warning + "\n");
    return 0;
  }

 private:
  static void print_state(Cli& cli, const docker::Info& info) {
    cli.out.print(" Containers: {}\n  Running: {}\n  Paused: {}\n  Stopped: {}\n Images: {}\n",
                  info.containers, info.containers_running, info.containers_paused, info.containers_stopped,
                  info.images);
    if (!info.server_version.empty()) cli.out.print(" Server Version: {}\n", info.server_version);
    if (!info.driver.empty()) cli.out.print(" Storage Driver: {}\n", info.driver);
    for (const auto& pair : info.driver_status)
      if (pair.size() == 2) cli.out.print("  {}: {}\n", pair[0], pair[1]);
    if (!info.logging_driver.empty()) cli.out.print(" Logging Driver: {}\n", info.logging_driver);
    if (!info.cgroup_driver.empty()) cli.out.print(" Cgroup Driver: {}\n", info.cgroup_driver);
    if (!info.cgroup_version.empty()) cli.out.print(" Cgroup Version: {}\n", info.cgroup_version);
    cli.out.print(" Plugins:\n  Volume: {}\n  Network: {}\n", join(info.plugins.volume, " "),
                  join(info.plugins.network, " "));
    if (!info.plugins.authorization.empty())
      cli.out.print("  Authorization: {}\n", join(info.plugins.authorization, " "));
    cli.out.print("  Log: {}\n", join(info.plugins.log, " "));
  }

  static void print_runtimes(Cli& cli, const docker::Info& info) {
    cli.out.print(" Swarm: {}\n", info.swarm.local_node_state);
    if (!info.runtimes.empty()) {
      cli.out.write(" Runtimes:");
      for (const auto& [name, runtime] : info.runtimes) cli.out.print(" {}", name);
      cli.out.print("\n Default Runtime: {}\n", info.default_runtime);
    }
    cli.out.print(" Init Binary: {}\n", info.init_binary);
    cli.out.print(" containerd version: {}\n runc version: {}\n init version: {}\n",
                  info.containerd_commit.id, info.runc_commit.id, info.init_commit.id);
    if (info.security_options.empty()) return;
    cli.out.write(" Security Options:\n");
    for (const auto& option : info.security_options) {
      for (const auto& part : split(option, ',')) {
        const auto [key, text] = cut(part, '=');
        if (key == "name")
          cli.out.print("  {}\n", text.value_or(""));
        else if (key == "profile")
          cli.out.print("   Profile: {}\n", text.value_or(""));
      }
    }
  }

  static void print_host(Cli& cli, const docker::Info& info) {
    cli.out.print(" Kernel Version: {}\n Operating System: {}\n OSType: {}\n Architecture: {}\n",
                  info.kernel_version, info.operating_system, info.os_type, info.architecture);
    cli.out.print(" CPUs: {}\n Total Memory: {}\n Name: {}\n ID: {}\n Docker Root Dir: {}\n Debug Mode: {}\n",
                  info.n_cpu, bytes_size(static_cast<double>(info.mem_total)), info.name, info.id,
                  info.docker_root_dir, info.debug);
    if (!info.http_proxy.empty()) cli.out.print(" HTTP Proxy: {}\n", info.http_proxy);
    if (!info.https_proxy.empty()) cli.out.print(" HTTPS Proxy: {}\n", info.https_proxy);
    if (!info.no_proxy.empty()) cli.out.print(" No Proxy: {}\n", info.no_proxy);
    if (!info.labels.empty()) cli.out.print(" Labels:\n  {}\n", join(info.labels, "\n  "));
    cli.out.print(" Experimental: {}\n", info.experimental_build);
    const auto& registry = info.registry_config;
    if (!registry.insecure_registry_cidrs.empty())
      cli.out.print(" Insecure Registries:\n  {}\n", join(registry.insecure_registry_cidrs, "\n  "));
    if (!registry.mirrors.empty())
      cli.out.print(" Registry Mirrors:\n  {}\n", join(registry.mirrors, "\n  "));
    cli.out.print(" Live Restore Enabled: {}\n", info.live_restore_enabled);
    if (!info.firewall_backend.driver.empty())
      cli.out.print(" Firewall Backend: {}\n", info.firewall_backend.driver);
    if (!info.default_address_pools.empty()) {
      cli.out.write(" Default Address Pools:\n");
      for (const auto& pool : info.default_address_pools)
        cli.out.print("   Base: {}, Size: {}\n", pool.base, pool.size);
    }
    cli.out.write("\n");
  }

  std::string format_;
};

}  // namespace

namespace make {
std::unique_ptr<Command> version() { return std::make_unique<Version>(); }
std::unique_ptr<Command> info() { return std::make_unique<Info>(); }
}  // namespace make

}  // namespace skiff::cli
