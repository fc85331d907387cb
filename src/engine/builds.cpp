#include "engine/builds.h"

#include <atomic>

#include "archive/worker.h"
#include "base/ids.h"
#include "base/log.h"
#include "engine/events.h"
#include "engine/image_budget.h"
#include "engine/workers.h"
#include "sys/file.h"

namespace skiff::engine {

Result<std::string> Builds::build(const sys::Fd& tar, build::Request request, build::Progress& progress,
                                  std::stop_token stop) {
  const std::string directory = temporary_directory(parts_.config) + "/context-" + random_hex(8);
  TRY(sys::make_directories(directory, 0700));
  struct Cleanup {
    Workers& workers;
    const std::string& path;
    ~Cleanup() {
      workers.post([path = path] {
        if (auto removed = sys::remove_tree(path); !removed.ok())
          log::warning("{}", removed.error().message());
      });
    }
  } const cleanup{parts_.workers, directory};

  request.context = TRY(sys::open_directory(directory));
  archive::Root root;
  root.directory = request.context.get();
  archive::ApplyOptions options = archive::context_options();
  options.limits = parts_.config.layer_limits;
  TRY(archive::unpack(tar, root, "/", options));

  std::atomic<bool> cancelled = false;
  const std::stop_callback on_stop(stop, [&] { cancelled = true; });
  const std::vector<std::string> tags = request.tags;
  const Time began = now();
  const std::string id = TRY(service_.build(std::move(request), progress, cancelled));
  events_.publish("image", "build", id, {{"name", tags.empty() ? id : tags.front()}});
  for (const std::string& tag : tags) events_.publish("image", "tag", id, {{"name", tag}});
  if (parts_.budget) parts_.budget->keep(began);
  return id;
}

}  // namespace skiff::engine
