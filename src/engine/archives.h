#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/parts.h"
#include "image/save.h"
#include "spec/docker/system.h"
#include "spec/platform.h"
#include "sys/fd.h"

namespace skiff::engine {

/// Images in and out as files: save, load, import. Thread-safe.
class Archives {
 public:
  Archives(Parts& parts, Events& events) : parts_(parts), events_(events) {}

  /// What save() is to write; see image::choose_saved().
  Result<std::vector<image::Saved>> choose(const std::vector<std::string>& names,
                                           const std::optional<spec::Platform>& platform);
  /// The layers of `without`, by diff id, are left out.
  Result<void> save(const std::vector<image::Saved>& images, const sys::Fd& out,
                    const std::set<spec::Digest>& without = {});
  /// Those of `diff_ids` that some image here has: a load needs no bytes of them.
  Result<std::vector<std::string>> known_layers(const std::vector<std::string>& diff_ids);

  using Say = std::function<void(const spec::docker::ProgressLine& line)>;
  /// `quiet` leaves the layers' progress out.
  Result<void> load(const sys::Fd& tar, const std::optional<spec::Platform>& platform, bool quiet,
                    const Say& say);

  struct Import {
    std::string message;
    std::vector<std::string> changes;
    std::optional<spec::Platform> platform;
    std::optional<spec::Reference> name;
  };
  /// Makes an image of one layer of the root file system in `tar`. Its id.
  Result<std::string> import(const sys::Fd& tar, const Import& import);

 private:
  Parts& parts_;
  Events& events_;
};

}  // namespace skiff::engine
