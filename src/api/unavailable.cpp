#include "api/routes.h"
#include "base/strings.h"

/// Parts of Docker's API that this engine knows of but does not offer.
namespace skiff::api {

Result<void> no_swarm(Call&) {
  return Error(
      Kind::Unavailable,
      "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this "
      "node to swarm and try again.");
}

Result<void> not_in_swarm(Call&) { return Error(Kind::Unavailable, "This node is not part of a swarm"); }

Result<void> no_plugin(Call& call) { return fail(Kind::NotFound, "plugin {} not found", quote(call.name())); }

Result<void> not_offered(Call& call) {
  return fail(Kind::Unsupported, "{} {} is not offered by this engine", call.http.method(), call.http.path());
}

}  // namespace skiff::api
