#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "spec/docker/manifest_list.h"
#include "spec/reference.h"

namespace skiff::cli {

/// Manifest lists that are being put together, as Docker's client keeps them: a folder for each list in
/// "manifests" of the configuration's folder, a file for each manifest, named after the references with "_"
/// for "/" and "-" for ":". Both clients see each other's.
class ManifestStore {
 public:
  explicit ManifestStore(const std::string& config_directory) : root_(config_directory + "/manifests") {}

  /// NotFound "No such manifest: x".
  Result<spec::docker::ManifestRecord> get(const spec::Reference& list,
                                           const spec::Reference& manifest) const;
  /// All of a list, in the order of their files' names. NotFound.
  Result<std::vector<spec::docker::ManifestRecord>> list(const spec::Reference& list) const;
  Result<void> save(const spec::Reference& list, const spec::Reference& manifest,
                    const spec::docker::ManifestRecord& record) const;
  Result<void> remove(const spec::Reference& list) const;

 private:
  std::string folder_of(const spec::Reference& list) const;

  std::string root_;
};

}  // namespace skiff::cli
