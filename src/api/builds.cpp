#include "api/build_request.h"
#include "api/progress.h"
#include "api/routes.h"

namespace skiff::api {

Result<void> build(Call& call) {
  auto request = TRY(build_request(call.query));
  LineProgress progress(call);
  // The whole context is read before the first step runs, so nobody writes to the connection while it is
  // being read.
  auto built = stream_into(call, [&](const sys::Fd& tar) -> Result<void> {
    TRY(call.engine.builds.build(tar, std::move(request), progress, call.http.stop_token()));
    return {};
  });
  if (!built.ok()) {
    if (!progress.said_something()) return built;
    progress.fail(built.error());
    return {};
  }
  return call.http.answered() ? success() : call.http.send(200, "");
}

}  // namespace skiff::api
