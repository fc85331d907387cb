#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/filters.h"
#include "engine/parts.h"
#include "spec/docker/image.h"
#include "spec/platform.h"

namespace skiff::engine {

/// Images in Docker's types over image::Store, joined with the containers that use them. Thread-safe.
class Images {
 public:
  Images(Parts& parts, ContainerSet& set, Events& events) : parts_(parts), set_(set), events_(events) {}

  Result<std::vector<spec::docker::ImageSummary>> list(bool all, const Filters& filters,
                                                       bool shared_size = false);
  /// NotFound also when the image is not for `platform`.
  Result<spec::docker::ImageInspect> inspect(std::string_view name,
                                             const std::optional<spec::Platform>& platform = {});
  Result<std::vector<spec::docker::ImageHistoryItem>> history(
      std::string_view name, const std::optional<spec::Platform>& platform = {});
  Result<void> tag(std::string_view name, const std::string& repository, const std::string& tag);
  /// Whether the image is removed by nobody but who forces it: not by prune, nor for want of room.
  Result<void> pin(std::string_view name, bool pinned);
  /// NotFound also when the image is not for `platform`.
  Result<std::vector<spec::docker::ImageDeleteItem>> remove(
      std::string_view name, bool force, bool no_prune, const std::optional<spec::Platform>& platform = {});
  Result<spec::docker::ImagePruneReport> prune(const Filters& filters);

 private:
  Parts& parts_;
  ContainerSet& set_;
  Events& events_;
};

}  // namespace skiff::engine
