#pragma once

#include <string>
#include <vector>

#include "engine/container.h"
#include "network/service.h"
#include "spec/docker/container.h"

/// How a container looks from outside: pure functions from its records to Docker's types.
namespace skiff::engine {

/// "Up 3 seconds (healthy)", "Exited (0) 2 minutes ago", "Created".
std::string status_text(const RunState& run, Time at);
/// "sleep 5", with words that hold white space in quotes, as `docker ps` shows it.
std::string command_text(const Definition& definition);
/// Published and exposed ports, one entry each.
std::vector<spec::docker::Port> port_list(const Definition& definition, const RunState& run);
spec::docker::ContainerState shown_state(const RunState& run);
std::vector<spec::docker::MountPoint> shown_mounts(const Definition& definition);
/// By network name; with what it got where it is connected.
std::map<std::string, spec::docker::EndpointSettings> shown_endpoints(
    const Definition& definition, const std::vector<network::Endpoint>& endpoints);
spec::docker::NetworkSettings shown_network(const Definition& definition, const RunState& run,
                                            const std::vector<network::Endpoint>& endpoints);

}  // namespace skiff::engine
