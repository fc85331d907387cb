#pragma once

#include <stop_token>

#include "base/result.h"
#include "engine/parts.h"
#include "image/check.h"
#include "image/pull.h"
#include "spec/check_report.h"

namespace skiff::engine {

struct FsckRequest {
  bool repair = false;
  image::CredentialsOf credentials_of;  ///< for what is fetched again
};

/// Checks what the engine keeps, and mends what a registry still has. Thread-safe; one at a time does the
/// work, another one is refused: Conflict.
class Fsck {
 public:
  Fsck(Parts& parts, ContainerSet& set, image::Puller& puller) : parts_(parts), set_(set), puller_(puller) {}

  /// What is found is in the report, whether it could be mended or not; an error is one of the check itself.
  Result<spec::CheckReport> run(const FsckRequest& request, image::Progress& progress,
                                const std::stop_token& stop) EXCLUDES(mutex_);

 private:
  Result<spec::CheckReport> run_alone(const FsckRequest& request, image::Progress& progress,
                                      const std::stop_token& stop);
  void name_containers(std::vector<image::Finding>& findings);
  void check_containers(image::Checked& checked);
  void repair(image::Finding& finding, const FsckRequest& request, image::Progress& progress,
              const std::stop_token& stop);
  Result<void> remove(spec::Leftover& leftover);

  Parts& parts_;
  ContainerSet& set_;
  image::Puller& puller_;
  Mutex mutex_;
  bool busy_ GUARDED_BY(mutex_) = false;
};

/// For image::Store::set_while_still(). Conflict when a container on top of the layer runs.
Result<void> while_containers_are_still(
    Parts& parts, ContainerSet& set, const std::string& layer,
    const std::function<Result<void>(const std::set<std::string>&)>& work);

}  // namespace skiff::engine
