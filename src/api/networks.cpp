#include "api/routes.h"

namespace skiff::api {

namespace docker = spec::docker;

Result<void> network_list(Call& call) {
  const auto filters = TRY(filters_of(call));
  auto networks = TRY(call.engine.networks.list(filters));
  // The list does not say who is on a network; inspect does.
  for (auto& network : networks) network.containers.clear();
  return answer(call, 200, networks);
}

Result<void> network_inspect(Call& call) {
  return answer(call, 200, TRY(call.engine.networks.inspect(call.name())));
}

Result<void> network_create(Call& call) {
  const auto request = TRY(read_json<docker::NetworkCreate>(call));
  return answer(call, 201, TRY(call.engine.networks.create(request)));
}

Result<void> network_connect(Call& call) {
  const auto request = TRY(read_json<docker::NetworkConnect>(call));
  TRY(call.engine.networks.connect(call.name(), request.container,
                                   request.endpoint_config.value_or(docker::EndpointSettings())));
  return answer_nothing(call, 200);
}

Result<void> network_disconnect(Call& call) {
  const auto request = TRY(read_json<docker::NetworkDisconnect>(call));
  TRY(call.engine.networks.disconnect(call.name(), request.container, request.force));
  return answer_nothing(call, 200);
}

Result<void> network_remove(Call& call) {
  TRY(call.engine.networks.remove(call.name()));
  return answer_nothing(call, 204);
}

Result<void> network_prune(Call& call) {
  const auto filters = TRY(filters_of(call));
  return answer(call, 200, TRY(call.engine.networks.prune(filters)));
}

}  // namespace skiff::api
