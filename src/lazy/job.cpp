#include "lazy/job.h"

namespace skiff::lazy {

void describe(json::Fields& f, ServerJob& job) {
  f("directories", job.directories);
  f("insecure", job.settings.insecure);
  f("mirrors", job.settings.mirrors);
  f("certificateDirectories", job.settings.certificate_directories);
  f("attempts", job.settings.attempts);
  auto pause = static_cast<std::int64_t>(job.settings.first_pause.count());
  f("firstPauseMilliseconds", pause);
  job.settings.first_pause = std::chrono::milliseconds(pause);
}

void describe(json::Fields& f, Request& request) {
  f("directory", request.directory);
  f("urgent", request.urgent);
}

void describe(json::Fields& f, Reply& reply) {
  f("error", reply.error);
  f("kind", reply.kind);
}

}  // namespace skiff::lazy
