#include <set>

#include "api/routes.h"

namespace skiff::api {

Result<void> ping(Call& call) {
  auto& fields = call.http.answer_fields();
  // "1": clients then build by POST /build instead of opening a BuildKit session.
  fields.add("Builder-Version", "1");
  fields.add("Cache-Control", "no-cache, no-store, must-revalidate");
  fields.add("Pragma", "no-cache");
  fields.add("Swarm", "inactive");
  return call.http.send(200, call.http.method() == "HEAD" ? "" : "OK", "text/plain; charset=utf-8");
}

Result<void> version(Call& call) { return answer(call, 200, TRY(call.engine.system.version())); }

Result<void> info(Call& call) { return answer(call, 200, TRY(call.engine.system.info())); }

Result<void> events(Call& call) {
  engine::Events::Options options;
  options.since = TRY(call.query.time("since"));
  options.until = TRY(call.query.time("until"));
  options.filters = TRY(filters_of(call));
  const auto stop = call.http.stop_token();
  TRY(call.http.start(200));
  return call.engine.events.read(
      options,
      [&](const spec::docker::EventMessage& event) -> Result<void> {
        return call.http.write(json::encode(event) + "\n");
      },
      stop);
}

Result<void> disk_usage(Call& call) {
  std::set<std::string> types;
  for (auto& type : call.query.all("type")) {
    if (type != "container" && type != "image" && type != "volume" && type != "build-cache")
      return fail(Kind::InvalidArgument, "unknown object type: {}", type);
    types.insert(std::move(type));
  }
  return answer(call, 200, TRY(call.engine.system.disk_usage(types)));
}

Result<void> build_prune(Call& call) {
  const auto filters = TRY(engine::Filters::parse(call.query.get("filters")));
  return answer(call, 200, TRY(call.engine.system.prune_build_cache(call.query.boolean("all"), filters)));
}

Result<void> plugin_list(Call& call) { return answer_text(call, 200, "[]"); }

}  // namespace skiff::api
