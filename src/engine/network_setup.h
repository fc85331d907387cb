#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/undo.h"
#include "engine/container.h"

/// The network side of a start and an end: the order of calls to network::Service, and how their answers look
/// in Docker's types.
namespace skiff::engine {

/// Reserves an address on each network of the container, in the order of preference. Nothing is left on
/// failure. NotFound: "failed to set up container networking: network x not found".
Result<std::vector<network::Endpoint>> allocate_endpoints(Parts& parts, const Definition& definition);

/// The request for one network, from what the user asked for there.
network::EndpointRequest endpoint_request(const Definition& definition, const std::string& network,
                                          const spec::docker::EndpointSettings& wanted);

/// Plugs the container's endpoints in, opens its ports and its DNS; each step adds its undoing. The ports
/// come back.
Result<spec::docker::PortMap> connect_networks(Parts& parts, const Definition& definition, runner::Task& task,
                                               const std::vector<network::Endpoint>& endpoints,
                                               UndoStack& undo);

/// Takes everything back when the container's namespace is gone. What the kernel does not give back is
/// logged, as the next start reconciles that; an address that stays the container's is the failure.
Result<void> disconnect_networks(Parts& parts, const std::string& id);

/// Tells a running container of a network that it has joined or left: its own line in /etc/hosts, and the
/// embedded DNS as its resolver while it is on a network with names. What somebody edited in the container
/// stays.
Result<void> follow_network(Parts& parts, const Definition& definition, const network::Endpoint& changed,
                            bool joined);

/// The ports to publish: bindings, and all exposed ones with -P.
Result<std::vector<network::PortBinding>> wanted_ports(const Definition& definition);
/// Docker's form of what was published: {"80/tcp": [{"0.0.0.0", "8080"}]}.
spec::docker::PortMap port_map(const std::vector<network::PortBinding>& published);

/// What inspect shows of an endpoint: what was asked for and what it got.
spec::docker::EndpointSettings shown_endpoint(const spec::docker::EndpointSettings& wanted,
                                              const network::Endpoint* got);

}  // namespace skiff::engine
