#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/thread.h"
#include "registry/server/repositories.h"

namespace skiff::registry::server {

/// The blobs of all repositories that one of the patterns matches may have so many bytes together. A blob
/// counts in each repository that has it.
struct Quota {
  std::vector<std::string> repositories;
  std::uint64_t bytes = 0;
};

/// Thread-safe.
class Quotas {
 public:
  Quotas(Repositories& repositories, std::vector<Quota> quotas);

  /// How many bytes a blob of this repository may have now; nothing when there is no limit.
  Result<std::optional<std::uint64_t>> room(const std::string& name);
  /// Counts a blob that is about to be linked. Exhausted, in a sentence, when it does not fit.
  Result<void> take(const std::string& name, std::uint64_t bytes);
  /// A blob that was counted is not there, or not any more.
  void give_back(const std::string& name, std::uint64_t bytes);
  /// What was counted may be wrong: it is counted anew when next needed.
  void forget();

 private:
  struct Line {
    Quota quota;
    std::optional<std::uint64_t> used;
  };

  bool concerns(const Line& line, std::string_view name) const;
  Result<std::uint64_t> count(Line& line) REQUIRES(mutex_);

  Repositories& repositories_;
  Mutex mutex_;
  std::vector<Line> lines_ GUARDED_BY(mutex_);
};

}  // namespace skiff::registry::server
