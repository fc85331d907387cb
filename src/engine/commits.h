#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/parts.h"
#include "spec/docker/container.h"
#include "spec/reference.h"
#include "sys/fd.h"

namespace skiff::engine {

class Lifecycle;

/// What a container changed of its image: shown (diff), made an image of (commit), or taken out whole
/// (export). Thread-safe.
class Commits {
 public:
  Commits(Parts& parts, ContainerSet& set, Events& events, Lifecycle& lifecycle)
      : parts_(parts), set_(set), events_(events), lifecycle_(lifecycle) {}

  Result<std::vector<spec::docker::FileChange>> changes(std::string_view name);

  struct Commit {
    std::optional<spec::Reference> name;
    std::string author;
    std::string comment;
    std::vector<std::string> changes;
    bool pause = true;
    /// Instead of the container's; what it leaves open is the container's all the same.
    std::optional<spec::docker::ContainerConfig> config;
  };
  /// Makes an image of the container as it is. Its id.
  Result<std::string> commit(std::string_view name, const Commit& request);

  /// A container's files as a tar, those of volumes and other mounts left out. Errors before the first byte
  /// come from find().
  Result<void> find(std::string_view name);
  Result<void> export_root(std::string_view name, const sys::Fd& out);

 private:
  Parts& parts_;
  ContainerSet& set_;
  Events& events_;
  Lifecycle& lifecycle_;
};

}  // namespace skiff::engine
