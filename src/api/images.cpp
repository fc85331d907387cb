#include "api/routes.h"
#include "spec/docker/container.h"

namespace skiff::api {

namespace {

constexpr ApiVersion kWithoutVirtualSize{1, 44};
constexpr ApiVersion kWithoutContainerConfig{1, 45};
constexpr ApiVersion kRemovesPlatforms{1, 50};

/// Adds the fields that the API has dropped since, for clients of that age.
void add_virtual_size(ApiVersion version, json::Value& image) {
  json::Object& fields = image.get_object();
  if (version < kWithoutVirtualSize) fields.insert_or_assign("VirtualSize", fields.at("Size"));
}

}  // namespace

Result<void> image_list(Call& call) {
  auto filters = TRY(filters_of(call));
  // Before API 1.41 the reference filter was a parameter of its own.
  if (const auto& name = call.query.get("filter"); !name.empty()) filters.add("reference", name);
  const auto images =
      TRY(call.engine.images.list(call.query.boolean("all"), filters, call.query.boolean("shared-size")));
  json::Array shown;
  for (const auto& image : images) add_virtual_size(call.version, shown.emplace_back(json::to_value(image)));
  return answer_text(call, 200, json::to_text(shown));
}

Result<void> image_inspect(Call& call) {
  json::Value shown = json::to_value(TRY(call.engine.images.inspect(call.name(), TRY(json_platform(call)))));
  add_virtual_size(call.version, shown);
  if (call.version < kWithoutContainerConfig)
    shown.get_object().insert_or_assign("ContainerConfig", json::to_value(spec::docker::ContainerConfig{}));
  return answer_text(call, 200, json::to_text(shown));
}

Result<void> image_history(Call& call) {
  return answer(call, 200, TRY(call.engine.images.history(call.name(), TRY(json_platform(call)))));
}

Result<void> image_tag(Call& call) {
  TRY(call.engine.images.tag(call.name(), call.query.get("repo"), call.query.get("tag")));
  return answer_nothing(call, 201);
}

Result<void> image_pin(Call& call) {
  TRY(call.engine.images.pin(call.name(), true));
  return answer_nothing(call, 204);
}

Result<void> image_unpin(Call& call) {
  TRY(call.engine.images.pin(call.name(), false));
  return answer_nothing(call, 204);
}

Result<void> image_remove(Call& call) {
  std::optional<spec::Platform> platform;
  if (call.version >= kRemovesPlatforms) {
    const auto platforms = call.query.all("platforms");
    if (platforms.size() > 1) return Error(Kind::InvalidArgument, "multiple platforms are not supported");
    if (!platforms.empty()) platform = TRY(json_platform(platforms.front()));
  }
  return answer(call, 200,
                TRY(call.engine.images.remove(call.name(), call.query.boolean("force"),
                                              call.query.boolean("noprune"), platform)));
}

Result<void> image_prune(Call& call) {
  const auto filters = TRY(filters_of(call));
  return answer(call, 200, TRY(call.engine.images.prune(filters)));
}

}  // namespace skiff::api
