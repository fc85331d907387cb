#include "api/routes.h"

namespace skiff::api {

Result<void> image_list(Call& call) {
  auto filters = TRY(filters_of(call));
  // Before API 1.41 the reference filter was a parameter of its own.
  if (const auto& name = call.query.get("filter"); !name.empty()) filters.add("reference", name);
  return answer(
      call, 200,
      TRY(call.engine.images.list(call.query.boolean("all"), filters, call.query.boolean("shared-size"))));
}

Result<void> image_inspect(Call& call) {
  return answer(call, 200, TRY(call.engine.images.inspect(call.name())));
}

Result<void> image_history(Call& call) {
  return answer(call, 200, TRY(call.engine.images.history(call.name())));
}

Result<void> image_tag(Call& call) {
  TRY(call.engine.images.tag(call.name(), call.query.get("repo"), call.query.get("tag")));
  return answer_nothing(call, 201);
}

Result<void> image_remove(Call& call) {
  return answer(call, 200,
                TRY(call.engine.images.remove(call.name(), call.query.boolean("force"),
                                              call.query.boolean("noprune"))));
}

Result<void> image_prune(Call& call) {
  const auto filters = TRY(filters_of(call));
  return answer(call, 200, TRY(call.engine.images.prune(filters)));
}

}  // namespace skiff::api
