#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "build/graph.h"
#include "image/store.h"
#include "image/trust/trust.h"
#include "meta/database.h"
#include "network/service.h"
#include "runner/runner.h"
#include "spec/platform.h"
#include "spec/reference.h"
#include "sys/fd.h"

namespace skiff::build {

struct Request {
  sys::Fd context;  ///< an open directory: the unpacked context
  std::string dockerfile = "Dockerfile";
  std::vector<std::string> tags;
  std::map<std::string, std::optional<std::string>> build_arguments;
  std::map<std::string, std::string> labels;
  std::string target;
  std::string network_mode;  ///< "", "default", "host", "none" or a network's name
  std::vector<std::string> extra_hosts;
  std::string platform;
  bool no_cache = false;
  bool pull = false;  ///< bases are asked for at their registries although they are here
  /// Brings a base image here that is missing, or is to be asked for. Without it there are only those that
  /// are here.
  std::function<Result<void>(const spec::Reference& name, const std::optional<spec::Platform>& platform)>
      fetch;
  bool quiet = false;
  bool remove_intermediate = true;
  Limits limits;
};

/// Where a build's words go: the classic builder's stream, one call a message. Called from one thread at a
/// time.
class Progress {
 public:
  virtual ~Progress() = default;
  virtual void stream(std::string_view text) = 0;    ///< {"stream": text}
  virtual void withhold(std::string_view text) = 0;  ///< of a quiet build: shown only if it fails
  virtual void image(const std::string& id) = 0;     ///< {"aux": {"ID": id}}
  virtual void failed_command(int code) = 0;         ///< the exit code of the RUN that ends the build
};

struct CacheUsage {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
};

struct PrunedCache {
  std::vector<std::string> ids;  ///< of the steps that are forgotten
  std::uint64_t bytes = 0;
};

/// Builds images from Dockerfiles: parser -> graph -> solver -> ops. Several builds may run at once and share
/// equal work.
class Service {
 public:
  struct Parts {
    const spec::EngineConfig& config;
    image::Store& images;
    image::Trust& trust;
    runner::Runner& runner;
    network::Service& networks;
    meta::Database& database;
  };
  static Result<std::unique_ptr<Service>> open(Parts parts);
  virtual ~Service() = default;

  /// The new image's id. A command that fails is an error whose code() is its exit code. `cancelled` turning
  /// true ends running steps; nothing of a failed build is left but its cache.
  virtual Result<std::string> build(Request request, Progress& progress,
                                    const std::atomic<bool>& cancelled) = 0;
  virtual Result<CacheUsage> cache_usage() = 0;
  /// Forgets cached steps, those whose layers an image has too only when `all`; with `until` only those that
  /// are no younger. Images keep all their layers. Conflict while a build runs.
  virtual Result<PrunedCache> prune_cache(bool all, std::optional<Time> until) = 0;
  /// The runner's events of containers that belong to builds end here.
  virtual bool handle(const runner::Event& event) = 0;
};

}  // namespace skiff::build
