#include "build/ops/cache.h"

#include <algorithm>

#include "base/json.h"

namespace skiff::build {
namespace {

constexpr std::string_view kOutcomes = "build_cache";
constexpr std::string_view kLayers = "build_layers";
constexpr std::string_view kSteps = "build_steps";

struct StepRecord {
  Time created{};
};

void describe(json::Fields& f, StepRecord& record) { f("created", record.created); }

}  // namespace

void describe(json::Fields& f, Outcome& outcome) {
  f("snapshot", outcome.snapshot);
  f("detail", outcome.detail, json::Omit::Empty);
  f("empty", outcome.empty_layer, json::Omit::Empty);
  f("created", outcome.created);
}

void describe(json::Fields& f, LayerFacts& facts) {
  spec::digest_field(f, "diffId", facts.diff_id);
  f("bytes", facts.bytes);
  f("tarBytes", facts.tar_bytes, json::Omit::Empty);
}

namespace {

template <typename Record>
Result<std::optional<Record>> get(meta::Transaction& transaction, std::string_view table,
                                  const std::string& key) {
  const auto text = TRY(transaction.get(table, key));
  if (!text) return std::optional<Record>();
  return std::optional<Record>(TRY(json::decode<Record>(*text)));
}

}  // namespace

Result<std::optional<Outcome>> Cache::find(const std::string& key) {
  std::optional<Outcome> outcome;
  TRY(database_.read([&](meta::Transaction& transaction) -> Result<void> {
    outcome = TRY(get<Outcome>(transaction, kOutcomes, key));
    return {};
  }));
  if (!outcome || outcome->snapshot.empty()) return outcome;
  // A layer below that is damaged is as good as none: the step is taken again.
  for (std::string at = outcome->snapshot; !at.empty();) {
    auto usable = snapshots_.sound(at);
    if (!usable.ok()) {
      const Kind kind = usable.error().kind();
      if (kind != Kind::NotFound && kind != Kind::DataLoss) return usable.error();
      return std::optional<Outcome>();
    }
    at = TRY(snapshots_.info(at)).parent;
  }
  return outcome;
}

Result<void> Cache::store(const std::string& key, const Outcome& outcome) {
  return database_.write(
      [&](meta::Transaction& transaction) { return transaction.put(kOutcomes, key, json::encode(outcome)); },
      meta::Durability::Relaxed);
}

Result<std::optional<LayerFacts>> Cache::facts(const std::string& snapshot) {
  std::optional<LayerFacts> facts;
  TRY(database_.read([&](meta::Transaction& transaction) -> Result<void> {
    facts = TRY(get<LayerFacts>(transaction, kLayers, snapshot));
    return {};
  }));
  return facts;
}

Result<void> Cache::store_facts(const std::string& snapshot, const LayerFacts& facts) {
  return database_.write(
      [&](meta::Transaction& transaction) { return transaction.put(kLayers, snapshot, json::encode(facts)); },
      meta::Durability::Relaxed);
}

Result<std::vector<std::optional<Time>>> Cache::step_times(const std::vector<std::string>& keys) {
  std::vector<std::optional<Time>> times;
  TRY(database_.read([&](meta::Transaction& transaction) -> Result<void> {
    for (const std::string& key : keys) {
      const auto record = TRY(get<StepRecord>(transaction, kSteps, key));
      times.push_back(record ? std::optional(record->created) : std::nullopt);
    }
    return {};
  }));
  return times;
}

Result<void> Cache::store_steps(const std::vector<std::pair<std::string, Time>>& steps) {
  if (steps.empty()) return {};
  return database_.write(
      [&](meta::Transaction& transaction) -> Result<void> {
        for (const auto& [key, created] : steps)
          TRY(transaction.put(kSteps, key, json::encode(StepRecord{created})));
        return {};
      },
      meta::Durability::Relaxed);
}

Result<std::set<std::string>> Cache::snapshots() {
  std::set<std::string> snapshots;
  TRY(database_.read([&](meta::Transaction& transaction) -> Result<void> {
    for (const auto& [key, text] : TRY(transaction.scan(kOutcomes)))
      if (Outcome outcome = TRY(json::decode<Outcome>(text));
          !outcome.empty_layer && !outcome.snapshot.empty())
        snapshots.insert(std::move(outcome.snapshot));
    return {};
  }));
  return snapshots;
}

Result<Cache::Usage> Cache::usage(const std::set<std::string>& used) {
  Usage usage;
  std::set<std::string> snapshots;
  TRY(database_.read([&](meta::Transaction& transaction) -> Result<void> {
    for (const auto& [key, text] : TRY(transaction.scan(kOutcomes))) {
      const Outcome outcome = TRY(json::decode<Outcome>(text));
      if (used.contains(outcome.snapshot)) continue;
      ++usage.entries;
      if (!outcome.empty_layer && !outcome.snapshot.empty()) snapshots.insert(outcome.snapshot);
    }
    return {};
  }));
  for (const std::string& snapshot : snapshots)
    if (const auto info = snapshots_.info(snapshot); info.ok()) usage.bytes += info->bytes;
  return usage;
}

/// Children first: a snapshot with others on top of it stays, and is tried again once they are gone.
std::uint64_t Cache::remove_snapshots(std::set<std::string> snapshots, const Remove& remove) {
  std::uint64_t bytes = 0;
  for (bool progress = true; progress;) {
    progress = false;
    for (auto it = snapshots.begin(); it != snapshots.end();) {
      const auto info = snapshots_.info(*it);
      const bool gone = info.ok() && remove(*it).ok();
      if (gone) bytes += info->bytes;
      progress = progress || gone;
      it = gone ? snapshots.erase(it) : std::next(it);
    }
  }
  return bytes;
}

Result<Cache::Pruned> Cache::prune(const std::set<std::string>& used, bool all, std::optional<Time> until,
                                   const Remove& remove) {
  Pruned pruned;
  std::set<std::string> snapshots;
  std::vector<std::pair<std::string, std::string>>
      candidates;  // key, and the snapshot that must be gone first
  TRY(database_.read([&](meta::Transaction& transaction) -> Result<void> {
    for (const auto& [key, text] : TRY(transaction.scan(kOutcomes))) {
      const Outcome outcome = TRY(json::decode<Outcome>(text));
      const bool kept = used.contains(outcome.snapshot);
      if ((kept && !all) || (until && outcome.created > *until)) continue;
      const bool owner = !kept && !outcome.empty_layer && !outcome.snapshot.empty();
      if (owner) snapshots.insert(outcome.snapshot);
      candidates.emplace_back(key, owner ? outcome.snapshot : "");
    }
    return {};
  }));
  pruned.bytes = remove_snapshots(snapshots, remove);
  TRY(database_.write([&](meta::Transaction& transaction) -> Result<void> {
    for (const auto& [key, snapshot] : candidates) {
      if (!snapshot.empty() && snapshots_.info(snapshot).ok()) continue;
      TRY(transaction.erase(kOutcomes, key));
      if (!snapshot.empty()) TRY(transaction.erase(kLayers, snapshot));
      pruned.keys.push_back(key);
    }
    if (all && !until)
      for (const auto& [key, text] : TRY(transaction.scan(kSteps))) TRY(transaction.erase(kSteps, key));
    return {};
  }));
  return pruned;
}

}  // namespace skiff::build
