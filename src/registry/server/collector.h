#pragma once

#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "registry/server/repositories.h"

namespace skiff::registry::server {

struct Collected {
  int manifests = 0;  ///< untagged ones, where those are collected
  int links = 0;      ///< blobs that a repository had and none of its manifests names
  int blobs = 0;      ///< bytes that no repository has
  std::uint64_t bytes = 0;
};

/// Removes what nobody refers to, while pulls and pushes go on. Nothing is removed that was used within the
/// grace period, or that somebody linked or referred to since the collection began; what removes is alone
/// behind the repositories' gate, one object at a time.
class Collector {
 public:
  /// `untagged`: manifests that no tag and no index leads to, and that refer to none which stays, go too.
  Collector(Repositories& repositories, bool untagged) : repositories_(repositories), untagged_(untagged) {}

  /// One collection; two at a time are not run. Cancelled when `stop` says so: what is done is done.
  Result<Collected> run(const std::stop_token& stop);

 private:
  struct Known {
    spec::Digest digest;
    ManifestFacts facts;
  };

  Result<std::vector<std::string>> names();
  Result<void> collect_all(Collected& out, const std::stop_token& stop);
  Result<void> collect_repository(const std::string& name, Collected& out);
  Result<void> collect_untagged(const std::string& name, std::vector<Known>& manifests, Collected& out);
  Result<std::set<spec::Digest>> reachable(const std::string& name, const std::vector<Known>& manifests);
  Result<void> collect_blobs(Collected& out, const std::stop_token& stop);
  Result<void> collect_blob_folder(const std::string& folder, const std::set<spec::Digest>& linked,
                                   Collected& out);
  /// Removes an object unless it was used; `protection` is what its users protect.
  Result<bool> remove_unused(const std::string& key, const std::string& protection);
  Result<bool> remove_manifest(const std::string& name, const spec::Digest& digest);
  bool is_unused(const std::string& key, const std::string& protection);

  Repositories& repositories_;
  const bool untagged_;
};

}  // namespace skiff::registry::server
