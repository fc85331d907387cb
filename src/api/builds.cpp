#include "api/build_request.h"
#include "api/progress.h"
#include "api/routes.h"
#include "base/base64.h"
#include "registry/client/endpoint.h"

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

/// The X-Registry-Config header: credentials for every registry that the client has some for.
std::map<std::string, spec::docker::AuthConfig> credentials(const Call& call) {
  std::map<std::string, spec::docker::AuthConfig> found;
  const auto text = decode_base64(call.http.fields().get("X-Registry-Config"));
  const auto parsed = text ? json::parse(*text) : Result<json::Value>(json::Value());
  const auto* object = parsed.ok() ? parsed->if_object() : nullptr;
  if (!object) return found;
  for (const auto& [server, value] : *object) {
    auto config = json::from_value<spec::docker::AuthConfig>(value);
    if (!config.ok()) continue;
    spec::docker::split_auth(*config);
    found[registry::registry_of(server)] = *std::move(config);
  }
  return found;
}

}  // namespace

Result<void> build(Call& call) {
  auto request = TRY(build_request(call.query));
  LineProgress progress(call);
  BaseProgress base_progress(progress, request.quiet);
  request.fetch = [&, known = credentials(call), stop = call.http.stop_token()](
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
