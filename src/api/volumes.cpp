#include "api/routes.h"

namespace skiff::api {

namespace docker = spec::docker;

Result<void> volume_list(Call& call) {
  const auto filters = TRY(filters_of(call));
  return answer(call, 200, TRY(call.engine.volumes.list(filters)));
}

Result<void> volume_create(Call& call) {
  const auto request = TRY(read_json<docker::VolumeCreate>(call));
  return answer(call, 201, TRY(call.engine.volumes.create(request)));
}

Result<void> volume_inspect(Call& call) {
  return answer(call, 200, TRY(call.engine.volumes.inspect(call.name())));
}

Result<void> volume_remove(Call& call) {
  TRY(call.engine.volumes.remove(call.name(), call.query.boolean("force")));
  return answer_nothing(call, 204);
}

Result<void> volume_prune(Call& call) {
  auto filters = TRY(filters_of(call));
  // Until API 1.41 a prune took named volumes too.
  if (call.version < ApiVersion{1, 42}) filters.add("all", "true");
  return answer(call, 200, TRY(call.engine.volumes.prune(filters)));
}

}  // namespace skiff::api
