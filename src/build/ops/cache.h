#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "build/solver/op.h"
#include "meta/database.h"
#include "snapshot/store.h"
#include "spec/digest.h"

namespace skiff::build {

/// A digest and a size of a layer, once known.
struct LayerFacts {
  spec::Digest diff_id;
  std::uint64_t bytes = 0;
  std::uint64_t tar_bytes = 0;
};

/// The build cache: outcomes by vertex key and times by step key, in the database's tables "build_cache" and
/// "build_steps". Records are not synced one by one: what a power loss takes is built again. Thread-safe.
class Cache {
 public:
  Cache(meta::Database& database, snapshot::Store& snapshots) : database_(database), snapshots_(snapshots) {}

  /// Nothing when there is no record, or its snapshot is gone or damaged.
  Result<std::optional<Outcome>> find(const std::string& key);
  Result<void> store(const std::string& key, const Outcome& outcome);

  /// Facts about a layer, by its snapshot.
  Result<std::optional<LayerFacts>> facts(const std::string& snapshot);
  Result<void> store_facts(const std::string& snapshot, const LayerFacts& facts);

  /// When steps were first taken: one answer for each key, nothing for new ones.
  Result<std::vector<std::optional<Time>>> step_times(const std::vector<std::string>& keys);
  Result<void> store_steps(const std::vector<std::pair<std::string, Time>>& steps);

  /// Every snapshot that a record names.
  Result<std::set<std::string>> snapshots();

  struct Usage {
    std::uint64_t entries = 0;
    std::uint64_t bytes = 0;
  };
  /// What prune() could give back: all records but those of the snapshots in `used`.
  Result<Usage> usage(const std::set<std::string>& used);

  struct Pruned {
    std::vector<std::string> keys;  ///< of the records that are gone
    std::uint64_t bytes = 0;
  };
  /// Removes a snapshot, or refuses that because it is of use to somebody.
  using Remove = std::function<Result<void>(const std::string& snapshot)>;
  /// Forgets the steps that are no younger than `until`, and removes their snapshots unless that is refused.
  /// Snapshots in `used` belong to images: they always stay, and their records too unless `all`.
  Result<Pruned> prune(const std::set<std::string>& used, bool all, std::optional<Time> until,
                       const Remove& remove);

 private:
  std::uint64_t remove_snapshots(std::set<std::string> snapshots, const Remove& remove);

  meta::Database& database_;
  snapshot::Store& snapshots_;
};

}  // namespace skiff::build
