#include "api/build_request.h"
#include "api/routes.h"
#include "base/json.h"
#include "spec/docker/system.h"

namespace skiff::api {
namespace {

namespace docker = spec::docker;

/// A build's words as lines of JSON. The answer starts with the first of them, so that what fails before it
/// still gets a status of its own.
class LineProgress : public build::Progress {
 public:
  LineProgress(Call& call, bool quiet) : call_(call), quiet_(quiet) {}

  void stream(std::string_view text) override {
    if (quiet_) {
      withheld_ += text;
      return;
    }
    docker::ProgressLine line;
    line.stream = text;
    send(line);
  }

  void image(const std::string& id) override {
    if (quiet_) return;
    docker::ProgressLine line;
    line.aux = json::Object{{"ID", id}};
    send(line);
  }

  void finish_quietly(const std::string& id) {
    docker::ProgressLine line;
    line.stream = id + "\n";
    send(line);
  }

  void fail(const Error& error) {
    docker::ProgressLine line;
    if (quiet_ && !withheld_.empty()) {
      line.stream = std::exchange(withheld_, {});
      send(line);
      line.stream.clear();
    }
    line.error_detail = docker::ErrorDetail{0, error.message()};
    line.error = error.message();
    send(line);
  }

  bool said_something() const { return call_.http.answered() || !withheld_.empty(); }

 private:
  void send(const docker::ProgressLine& line) {
    // A client that is gone is noticed by the build's stop token.
    if (!call_.http.answered() && !call_.http.start(200).ok()) return;
    (void)call_.http.write(json::encode(line) + "\r\n");
  }

  Call& call_;
  const bool quiet_;
  std::string withheld_;  ///< of a quiet build: shown only when it fails
};

}  // namespace

Result<void> build(Call& call) {
  auto request = TRY(build_request(call.query));
  const bool quiet = request.quiet;
  LineProgress progress(call, quiet);
  std::string id;
  // The whole context is read before the first step runs, so nobody writes to the connection while it is
  // being read.
  auto built = stream_into(call, [&](const sys::Fd& tar) -> Result<void> {
    id = TRY(call.engine.builds.build(tar, std::move(request), progress, call.http.stop_token()));
    return {};
  });
  if (!built.ok()) {
    if (!progress.said_something()) return built;
    progress.fail(built.error());
    return {};
  }
  if (quiet) progress.finish_quietly(id);
  return call.http.answered() ? success() : call.http.send(200, "");
}

}  // namespace skiff::api
