#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "base/thread.h"
#include "image/store.h"

namespace skiff::image {

/// Layers between their making and the image that they are for: each is made once, however many pulls need it
/// at a time, is held in the store meanwhile, and goes again when nobody came to an image with it.
/// Thread-safe; outlives its leases.
class LayerPool {
 public:
  explicit LayerPool(Store& store) : store_(store) {}

  /// Holds a layer's snapshot for a scope. Leases of upper layers are to be dropped before those of lower
  /// ones.
  class Lease {
   public:
    Lease(LayerPool& pool, std::string snapshot)
        : pool_(&pool), snapshot_(std::move(snapshot)), hold_(pool.store_.hold_layers({snapshot_})) {}
    Lease(Lease&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)),
          snapshot_(std::move(other.snapshot_)),
          hold_(std::move(other.hold_)) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (pool_) pool_->release(snapshot_);
    }
    const std::string& snapshot() const { return snapshot_; }

   private:
    LayerPool* pool_;
    std::string snapshot_;
    std::shared_ptr<const void> hold_;
  };

  /// Holds the snapshot of the layer `chain` if it is there, and with it all that it stands on.
  Result<std::optional<Lease>> find(const spec::Digest& chain) EXCLUDES(mutex_);
  /// Holds a snapshot that is there, and stays as it is held already.
  Lease hold(const std::string& snapshot) EXCLUDES(mutex_);
  /// Holds a snapshot that was just made: with its last lease it goes unless an image has it.
  Lease hold_made(const std::string& snapshot) EXCLUDES(mutex_);
  /// The layer `chain`: the one that is there, or what `make` makes, which no other thread does meanwhile for
  /// the same chain. Errors of `make`, and Cancelled.
  Result<Lease> get(const spec::Digest& chain, const std::stop_token& stop,
                    const std::function<Result<Layer>()>& make) EXCLUDES(mutex_);

 private:
  struct Use {
    int leases = 0;
    bool made = false;  ///< by us, so ours to drop
  };
  Result<Lease> find_or_make(const spec::Digest& chain, const std::function<Result<Layer>()>& make)
      EXCLUDES(mutex_);
  void release(const std::string& snapshot) EXCLUDES(mutex_);

  Store& store_;
  Mutex mutex_;
  std::condition_variable changed_;
  std::set<spec::Digest> busy_ GUARDED_BY(mutex_);  ///< chains that are being made
  std::map<std::string, Use> uses_ GUARDED_BY(mutex_);
};

}  // namespace skiff::image
