#include "api/routes.h"

namespace skiff::api {

namespace docker = spec::docker;

Result<void> container_create(Call& call) {
  auto request = TRY(read_json<docker::ContainerCreate>(call, Body::Required));
  if (request.config.image.empty() && request.config.cmd.empty() && !request.config.entrypoint)
    return Error(Kind::InvalidArgument, "config cannot be empty in order to create a container");
  const auto created = TRY(
      call.engine.containers.create(call.query.get("name"), call.query.get("platform"), std::move(request)));
  return answer(call, 201, created);
}

Result<void> container_list(Call& call) {
  engine::ListOptions options;
  options.all = call.query.boolean("all");
  options.size = call.query.boolean("size");
  options.limit = static_cast<int>(TRY(call.query.integer("limit")).value_or(0));
  options.filters = TRY(filters_of(call));
  return answer(call, 200, TRY(call.engine.containers.list(options)));
}

Result<void> container_inspect(Call& call) {
  return answer(call, 200, TRY(call.engine.containers.inspect(call.name(), call.query.boolean("size"))));
}

Result<void> container_rename(Call& call) {
  const auto& name = call.query.get("name");
  if (name.empty()) return Error(Kind::InvalidArgument, "Neither old nor new names may be empty");
  TRY(call.engine.containers.rename(call.name(), name));
  return answer_nothing(call, 204);
}

Result<void> container_remove(Call& call) {
  engine::RemoveOptions options;
  options.force = call.query.boolean("force");
  options.volumes = call.query.boolean("v");
  // Links are kept as they were asked for: there is no name "/container/alias" that could be taken away.
  if (call.query.boolean("link"))
    return Error(Kind::Conflict, "Conflict, cannot remove the default link name of the container");
  TRY(call.engine.containers.remove(call.name(), options));
  return answer_nothing(call, 204);
}

namespace {

struct UpdateAnswer {
  std::vector<std::string> warnings;
};

void describe(json::Fields& f, UpdateAnswer& answer) {
  spec::null_when_empty(f, "Warnings", answer.warnings);
}

}  // namespace

Result<void> container_update(Call& call) {
  const auto request = TRY(read_json<docker::ContainerUpdate>(call, Body::Required));
  return answer(call, 200, UpdateAnswer{TRY(call.engine.containers.update(call.name(), request))});
}

Result<void> container_top(Call& call) {
  return answer(call, 200, TRY(call.engine.containers.top(call.name(), call.query.get("ps_args"))));
}

Result<void> container_prune(Call& call) {
  const auto filters = TRY(filters_of(call));
  return answer(call, 200, TRY(call.engine.containers.prune(filters)));
}

}  // namespace skiff::api
