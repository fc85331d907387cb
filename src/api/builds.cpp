#include "api/build_request.h"
#include "api/credentials.h"
#include "api/progress.h"
#include "api/routes.h"

namespace skiff::api {
namespace {

/// What is said of the pull of a base, among the words of the build.
class BaseProgress final : public image::Progress {
 public:
  BaseProgress(LineProgress& out, bool quiet) : out_(out), quiet_(quiet) {}
  void line(spec::docker::ProgressLine line) override {
    if (!quiet_) out_.send(line);
  }

 private:
  LineProgress& out_;
  const bool quiet_;
};

}  // namespace

Result<void> build(Call& call) {
  auto request = TRY(build_request(call.query));
  LineProgress progress(call);
  BaseProgress base_progress(progress, request.quiet);
  request.fetch = [&, known = credentials_for_all(call), stop = call.http.stop_token()](
                      const spec::Reference& name, const std::optional<spec::Platform>& platform) {
    image::PullRequest pull{name, platform, {}};
    if (const auto found = known.find(name.domain()); found != known.end())
      pull.credentials = engine::credentials_of(found->second);
    return call.engine.registries.pull(pull, base_progress, stop);
  };
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
