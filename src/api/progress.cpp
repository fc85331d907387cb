#include "api/progress.h"

#include <utility>

#include "base/json.h"

namespace skiff::api {

namespace docker = spec::docker;

namespace {
constexpr std::size_t kMostWithheld = 1 << 20;  // enough to see why; a RUN may say without end
}

void LineProgress::stream(std::string_view text) {
  docker::ProgressLine line;
  line.stream = text;
  send(line);
}

void LineProgress::withhold(std::string_view text) {
  withheld_ += text;
  if (withheld_.size() <= 2 * kMostWithheld) return;
  const auto line = withheld_.find('\n', withheld_.size() - kMostWithheld);
  withheld_.erase(0, line == std::string::npos ? withheld_.size() - kMostWithheld : line + 1);
}

void LineProgress::image(const std::string& id) {
  docker::ProgressLine line;
  line.aux = json::Object{{"ID", id}};
  send(line);
}

void LineProgress::fail(const Error& error) {
  if (!withheld_.empty()) stream(std::exchange(withheld_, ""));
  docker::ProgressLine line;
  line.error_detail = docker::ErrorDetail{exit_code_, error.message()};
  line.error = error.message();
  send(line);
}

void LineProgress::send(const docker::ProgressLine& line) {
  const MutexLock lock(mutex_);
  // A client that is gone is noticed by the stop token of the work.
  if (!call_.http.answered() && !call_.http.start(200).ok()) return;
  (void)call_.http.write(json::encode(line) + "\r\n");
}

}  // namespace skiff::api
