#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "network/service.h"
#include "spec/engine_config.h"

/// The contents of /etc/resolv.conf and /etc/hosts of a container. Pure text; the caller writes the files.
namespace skiff::network {

/// What a container asks for with --dns, --dns-search and --dns-option.
struct DnsOptions {
  std::vector<std::string> servers;
  std::vector<std::string> search;
  std::vector<std::string> options;
};

/// `host` is the text of the host's resolv.conf. On user-defined networks the only server is 127.0.0.11.
/// Otherwise the container's own servers, else the engine's, else the host's without loopback addresses, else
/// public ones (as Docker).
std::string resolv_conf(const spec::EngineConfig& config, const DnsOptions& wanted, bool user_defined,
                        const std::string& host);
/// As above with the host's file read from where systemd-resolved keeps the real one, or /etc/resolv.conf.
std::string resolv_conf(const spec::EngineConfig& config, const DnsOptions& wanted, bool user_defined);

/// The servers that names are forwarded to: `wanted`, else the engine's, else the host's.
std::vector<std::string> upstream_servers(const spec::EngineConfig& config,
                                          const std::vector<std::string>& wanted, const std::string& host);
/// The host's resolver configuration as it is now; "" when there is none.
std::string host_resolv_conf();

/// A container's own line of /etc/hosts for one of its networks; "" where it has no address or no name.
std::string hosts_line(const Endpoint& endpoint, const std::string& hostname, const std::string& domain);

/// `extra_hosts` are "name:address" or "name=address"; the address "host-gateway" becomes `host_gateway`.
/// InvalidArgument for a malformed one: `bad format for add-host: "x"`. `links` maps host names to lines of
/// the default bridge's links: address -> names.
Result<std::string> hosts_file(const std::string& hostname, const std::string& domain,
                               const std::vector<Endpoint>& endpoints,
                               const std::vector<std::string>& extra_hosts, const std::string& host_gateway,
                               const std::vector<std::pair<std::string, std::string>>& links = {});

}  // namespace skiff::network
