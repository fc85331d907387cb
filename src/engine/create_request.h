#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/host_facts.h"
#include "spec/docker/container.h"
#include "spec/engine_config.h"
#include "spec/oci_image.h"

/// The pure part of creating a container: what is asked for is completed and judged, nothing is made.
namespace skiff::engine {

/// --security-opt, read.
struct SecurityOptions {
  bool no_new_privileges = false;
  bool unconfined = false;      ///< seccomp=unconfined
  std::string seccomp_profile;  ///< a profile's text; "" is the built-in one
  bool system_paths_unconfined = false;
};
/// AppArmor profiles and SELinux labels are accepted and without effect, as in Docker on a kernel that has
/// neither. InvalidArgument: `invalid --security-opt 2: "x"`.
Result<SecurityOptions> parse_security_options(const std::vector<std::string>& options);

/// "80", "80/tcp", "80-90/udp": protocol and first and last port. InvalidArgument: "invalid port
/// specification: ...".
struct PortRange {
  std::string protocol = "tcp";
  std::uint16_t first = 0;
  std::uint16_t last = 0;
};
Result<PortRange> parse_port(std::string_view text);

/// Fills what `config` leaves open from the image's.
void merge_config(spec::docker::ContainerConfig& config, const spec::oci::ImageConfig& image);
/// Fills what the user left open from the image (ports, environment, labels, command, health check, volumes
/// ...) and checks that something can be run: "no command specified".
Result<void> merge_image(spec::docker::ContainerConfig& config, const spec::oci::ImageConfig& image);

/// Judges a request with Docker's sentences, before anything is made. Kinds: InvalidArgument, Conflict.
Result<void> check_config(const spec::docker::ContainerConfig& config);
Result<void> check_host_config(const spec::docker::HostConfig& host, const spec::EngineConfig& engine,
                               const HostFacts& facts);
Result<void> check_resources(const spec::docker::Resources& resources, const HostFacts& facts);
Result<void> check_restart_policy(const spec::docker::RestartPolicy& policy, bool auto_remove);

/// What does not go together in the two halves of a request.
Result<void> check_combination(const spec::docker::ContainerConfig& config,
                               const spec::docker::HostConfig& host);
/// Takes out what this kernel cannot do, and says so in the sentences of the answer's warnings.
std::vector<std::string> discard_unsupported(spec::docker::Resources& resources, const HostFacts& facts);

/// The engine's defaults where the request is silent: swap, shm size, modes, log driver, runtime.
void fill_defaults(spec::docker::HostConfig& host, const spec::EngineConfig& engine, const HostFacts& facts);

/// The id or name in "container:NAME", or "".
std::string_view container_mode(std::string_view mode);

}  // namespace skiff::engine
