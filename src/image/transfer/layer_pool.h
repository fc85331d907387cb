#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <set>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "base/thread.h"
#include "image/store.h"

namespace skiff::image {

/// Layers between their making and the image that they are for: each is made once, however many pulls need it
/// at a time, and goes again when none of them came to an image. Thread-safe; outlives its leases.
class LayerPool {
 public:
  explicit LayerPool(snapshot::Store& snapshots) : snapshots_(snapshots) {}

  /// Holds a layer's snapshot for a scope. Leases of upper layers are to be dropped before those of lower
  /// ones.
  class Lease {
   public:
    Lease(LayerPool& pool, std::string snapshot) : pool_(&pool), snapshot_(std::move(snapshot)) {}
    Lease(Lease&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), snapshot_(std::move(other.snapshot_)) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (pool_) pool_->release(snapshot_);
    }
    const std::string& snapshot() const { return snapshot_; }
    /// An image has it now.
    void keep() { pool_->keep(snapshot_); }

   private:
    LayerPool* pool_;
    std::string snapshot_;
  };

  /// Holds a snapshot that is there.
  Lease hold(const std::string& snapshot) EXCLUDES(mutex_);
  /// Holds a snapshot that was just made: it goes with its last lease unless it is kept.
  Lease hold_made(const std::string& snapshot) EXCLUDES(mutex_);
  /// The layer `chain`: the one that is there, or what `make` makes, which no other thread does meanwhile for
  /// the same chain. Errors of `make`, and Cancelled.
  Result<Lease> get(const spec::Digest& chain, const std::stop_token& stop,
                    const std::function<Result<Layer>()>& make) EXCLUDES(mutex_);

 private:
  struct Use {
    int leases = 0;
    bool made = false;  ///< by us, so ours to remove
    bool kept = false;
  };
  Result<Lease> find_or_make(const spec::Digest& chain, const std::function<Result<Layer>()>& make)
      EXCLUDES(mutex_);
  void release(const std::string& snapshot) EXCLUDES(mutex_);
  void keep(const std::string& snapshot) EXCLUDES(mutex_);

  snapshot::Store& snapshots_;
  Mutex mutex_;
  std::condition_variable changed_;
  std::set<spec::Digest> busy_ GUARDED_BY(mutex_);  ///< chains that are being made
  std::map<std::string, Use> uses_ GUARDED_BY(mutex_);
};

}  // namespace skiff::image
