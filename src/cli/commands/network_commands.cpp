#include <algorithm>

#include "base/strings.h"
#include "cli/commands/resource_entries.h"
#include "cli/commands/resource_support.h"
#include "cli/specs/values.h"

namespace skiff::cli {

namespace {

namespace docker = spec::docker;

std::string go_bool(bool value) { return value ? "true" : "false"; }

Row network_row(const docker::NetworkInspect& network, bool truncate) {
  Row row;
  row.fields = {{"CreatedAt", go_time(network.created, false)},
                {"Driver", network.driver},
                {"ID", truncate ? short_id(network.id) : network.id},
                {"IPv4", go_bool(network.enable_ipv4)},
                {"IPv6", go_bool(network.enable_ipv6)},
                {"Internal", go_bool(network.internal)},
                {"Labels", label_text(network.labels)},
                {"Name", network.name},
                {"Scope", network.scope}};
  row.labels = network.labels;
  return row;
}

class NetworkLs : public Command {
 public:
  NetworkLs() {
    add_filter_flag(flags, filters_, 'f', "Provide filter values (e.g. \"driver=bridge\")");
    flags.string(format_, "format", 0, kTableFormatUsage);
    flags.boolean(no_truncate_, "no-trunc", 0, "Do not truncate the output");
    flags.boolean(quiet_, "quiet", 'q', "Only display network IDs");
  }

  Result<int> run(Cli& cli, const Arguments&) override {
    auto networks = TRY(TRY(cli.engine())->networks(filters_));
    std::sort(networks.begin(), networks.end(),
              [](const auto& a, const auto& b) { return natural_less(a.name, b.name); });
    ListFormat format;
    format.text = choose_format(cli, format_, "networksFormat", quiet_, "{{.ID}}");
    format.default_table = "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}";
    format.go_type = "*network.networkContext";
    format.columns = {{"CreatedAt", "CREATED AT"},
                      {"Driver", "DRIVER"},
                      {"ID", "NETWORK ID"},
                      {"IPv4", "IPV4"},
                      {"IPv6", "IPV6"},
                      {"Internal", "INTERNAL"},
                      {"Labels", "LABELS"},
                      {"Name", "NAME"},
                      {"Scope", "SCOPE"}};
    std::vector<Row> rows;
    for (const auto& network : networks) rows.push_back(network_row(network, !no_truncate_));
    return print_list(cli, format, rows);
  }

 private:
  client::Filters filters_;
  std::string format_;
  bool no_truncate_ = false;
  bool quiet_ = false;
};

class NetworkInspect : public Command {
 public:
  NetworkInspect() {
    flags.string(format_, "format", 'f', kFormatUsage);
    flags.boolean(verbose_, "verbose", 'v', "Verbose output for diagnostics");
  }

  Result<int> run(Cli& cli, const Arguments& names) override {
    return inspect_objects(cli, names, format_, [this](client::Client& engine, const std::string& name) {
      return engine.inspect_network(name, verbose_);
    });
  }

 private:
  std::string format_;
  bool verbose_ = false;
};

class NetworkConnect : public Command {
 public:
  NetworkConnect() {
    flags.strings(aliases_, "alias", 0, "Add network-scoped alias for the container");
    flags.strings(options_, "driver-opt", 0, "driver options for the network");
    flags.integer(priority_, "gw-priority", 0,
                  "Highest gw-priority provides the default gateway. Accepts positive and negative values.");
    flags.string(ipv4_, "ip", 0, "IPv4 address (e.g., \"172.30.100.104\")");
    flags.string(ipv6_, "ip6", 0, "IPv6 address (e.g., \"2001:db8::33\")");
    flags.list(links_, "link", 0, "Add link to another container");
    flags.strings(link_local_, "link-local-ip", 0, "Add a link-local address for the container");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    docker::NetworkConnect request;
    request.container = arguments[1];
    auto& endpoint = request.endpoint_config.emplace();
    if (!ipv4_.empty() || !ipv6_.empty() || !link_local_.empty())
      endpoint.ipam_config = docker::EndpointIpamConfig{ipv4_, ipv6_, link_local_};
    endpoint.links = links_;
    endpoint.aliases = aliases_;
    endpoint.gw_priority = static_cast<int>(priority_);
    for (const auto& option : options_) {
      const auto [name, value] = cut(option, '=');
      if (!value || name.empty())
        return Error(Kind::InvalidArgument, "invalid key/value pair format in driver options");
      endpoint.driver_opts[std::string(trim(name))] = trim(*value);
    }
    TRY(TRY(cli.engine())->connect_network(arguments[0], request));
    return 0;
  }

 private:
  std::vector<std::string> aliases_, options_, links_, link_local_;
  std::string ipv4_, ipv6_;
  std::int64_t priority_ = 0;
};

class NetworkDisconnect : public Command {
 public:
  NetworkDisconnect() {
    flags.boolean(force_, "force", 'f', "Force the container to disconnect from a network");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    TRY(TRY(cli.engine())->disconnect_network(arguments[0], {arguments[1], force_}));
    return 0;
  }

 private:
  bool force_ = false;
};

class NetworkRm : public Command {
 public:
  NetworkRm() { flags.boolean(force_, "force", 'f', "Do not error if the network does not exist"); }

  Result<int> run(Cli& cli, const Arguments& names) override {
    client::Client& engine = *TRY(cli.engine());
    for (const auto& name : names) {
      auto removed = engine.remove_network(name);
      if (removed.ok())
        cli.out.write(name + "\n");
      else if (!force_ || removed.error().kind() != Kind::NotFound)
        cli.report(removed.error());
    }
    // Docker's own command line ends with these words of its library.
    if (cli.exit_code() != 0) cli.err.write("exit status 1\n");
    return cli.exit_code();
  }

 private:
  bool force_ = false;
};

class NetworkPrune : public Command {
 public:
  NetworkPrune() {
    add_filter_flag(flags, filters_, 0, "Provide filter values (e.g. \"until=<timestamp>\")");
    flags.boolean(force_, "force", 'f', "Do not prompt for confirmation");
  }

  Result<int> run(Cli& cli, const Arguments&) override {
    if (!force_ &&
        !confirm(cli,
                 "WARNING! This will remove all custom networks not used by at least one container.\nAre you "
                 "sure you want to continue? [y/N] "))
      return 0;
    const auto report = TRY(TRY(cli.engine())->prune_networks(filters_));
    const auto pruned = list_deleted("Deleted Networks", report.networks_deleted, 0);
    if (!pruned.text.empty()) cli.out.write(pruned.text + "\n");
    return 0;
  }

 private:
  client::Filters filters_;
  bool force_ = false;
};

}  // namespace

namespace make {
std::unique_ptr<Command> network_ls() { return std::make_unique<NetworkLs>(); }
std::unique_ptr<Command> network_inspect() { return std::make_unique<NetworkInspect>(); }
std::unique_ptr<Command> network_connect() { return std::make_unique<NetworkConnect>(); }
std::unique_ptr<Command> network_disconnect() { return std::make_unique<NetworkDisconnect>(); }
std::unique_ptr<Command> network_rm() { return std::make_unique<NetworkRm>(); }
std::unique_ptr<Command> network_prune() { return std::make_unique<NetworkPrune>(); }
}  // namespace make

}  // namespace skiff::cli
