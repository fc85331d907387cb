#include "image/bootstrap.h"

#include <atomic>

#include "api/progress.h"
#include "api/routes.h"

namespace skiff::api {

/// Our own endpoint beside Docker's: a base image made from the host's package mirror.
Result<void> image_bootstrap(Call& call) {
  image::BootstrapRequest request;
  request.reference = call.query.get("reference");
  request.mirror = call.query.get("mirror");
  request.no_cache = call.query.boolean("nocache");
  request.cache_directory = call.config.data_root + "/cache/bootstrap";
  if (request.reference.empty()) return Error(Kind::InvalidArgument, "reference cannot be empty");
  LineProgress progress(call);
  request.progress = [&](std::string_view line) { progress.stream(std::string(line) + "\n"); };
  std::atomic<bool> cancelled = false;
  const std::stop_callback on_gone(call.http.stop_token(), [&] { cancelled = true; });
  request.cancelled = &cancelled;
  const Time began = now();
  const auto made = image::bootstrap(call.engine.image_store, request);
  if (made.ok()) {
    call.engine.budget.keep(began);
    progress.image(made->id.to_string());
    return {};
  }
  if (!progress.said_something()) return made.error();
  progress.fail(made.error());
  return {};
}

}  // namespace skiff::api
