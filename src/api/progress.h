#pragma once

#include <string>
#include <string_view>

#include "api/call.h"
#include "base/thread.h"
#include "build/service.h"
#include "spec/docker/system.h"

namespace skiff::api {

/// The words of a build, or of other long work, as lines of JSON. The answer starts with the first of them,
/// so that what fails before it still gets a status of its own.
class LineProgress : public build::Progress {
 public:
  explicit LineProgress(Call& call) : call_(call) {}

  void stream(std::string_view text) override;
  void withhold(std::string_view text) override;
  void image(const std::string& id) override;
  void failed_command(int code) override { exit_code_ = code; }
  /// A line as it is; from any thread.
  void send(const spec::docker::ProgressLine& line) EXCLUDES(mutex_);
  /// The last line of work that failed, after what was withheld.
  void fail(const Error& error);

  /// One line of work that is no build.
  void line(const spec::docker::ProgressLine& line) { send(line); }

  bool said_something() const { return call_.http.answered() || !withheld_.empty(); }

 private:
  Call& call_;
  Mutex mutex_;
  int exit_code_ = 0;
  std::string withheld_;  ///< the end of what was withheld
};

}  // namespace skiff::api
