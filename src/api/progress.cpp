#include "api/progress.h"

#include "base/json.h"

namespace skiff::api {

namespace docker = spec::docker;

void LineProgress::stream(std::string_view text) {
  docker::ProgressLine line;
  line.stream = text;
  send(line);
}

void LineProgress::image(const std::string& id) {
  docker::ProgressLine line;
  line.aux = json::Object{{"ID", id}};
  send(line);
}

void LineProgress::fail(const Error& error) {
  docker::ProgressLine line;
  line.error_detail = docker::ErrorDetail{exit_code_, error.message()};
  line.error = error.message();
  send(line);
}

void LineProgress::send(const docker::ProgressLine& line) {
  // A client that is gone is noticed by the stop token of the work.
  if (!call_.http.answered() && !call_.http.start(200).ok()) return;
  (void)call_.http.write(json::encode(line) + "\r\n");
}

}  // namespace skiff::api
