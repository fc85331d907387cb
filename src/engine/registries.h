#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/filters.h"
#include "engine/parts.h"
#include "image/pull.h"
#include "image/push.h"
#include "spec/docker/registry.h"

namespace skiff::engine {

/// What the engine does with registries. Thread-safe.
class Registries {
 public:
  Registries(Parts& parts, image::Puller& puller, image::Pusher& pusher, Events& events)
      : parts_(parts), puller_(puller), pusher_(pusher), events_(events) {}

  /// Brings an image, or all of a repository, here; see image::Puller.
  Result<void> pull(const image::PullRequest& request, image::Progress& progress,
                    const std::stop_token& stop);
  /// Sends an image, or all of a repository that are here; see image::Pusher.
  Result<void> push(const image::PushRequest& request, image::Progress& progress,
                    const std::stop_token& stop);
  /// Asks the registry whether it knows the user.
  Result<spec::docker::AuthAnswer> log_in(const spec::docker::AuthConfig& config,
                                          const std::stop_token& stop);
  /// What a registry that can be searched finds, after the filters "is-official", "is-automated" and "stars";
  /// without `limit` 25.
  Result<std::vector<spec::docker::SearchResult>> search(std::string_view term,
                                                         std::optional<std::int64_t> limit,
                                                         const Filters& filters,
                                                         const registry::Credentials& credentials,
                                                         const std::stop_token& stop);
  /// What a registry has under a name, and for which platforms.
  Result<spec::docker::DistributionInspect> inspect(const spec::Reference& reference,
                                                    const registry::Credentials& credentials,
                                                    const std::stop_token& stop);

 private:
  Parts& parts_;
  image::Puller& puller_;
  image::Pusher& pusher_;
  Events& events_;
};

/// The credentials that an API client sent.
registry::Credentials credentials_of(const spec::docker::AuthConfig& config);

}  // namespace skiff::engine
