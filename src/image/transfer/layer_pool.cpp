#include "image/transfer/layer_pool.h"

#include "base/log.h"

namespace skiff::image {

LayerPool::Lease LayerPool::hold(const std::string& snapshot) {
  const MutexLock lock(mutex_);
  ++uses_[snapshot].leases;
  return {*this, snapshot};
}

LayerPool::Lease LayerPool::hold_made(const std::string& snapshot) {
  const MutexLock lock(mutex_);
  Use& use = uses_[snapshot];
  ++use.leases;
  use.made = true;
  return {*this, snapshot};
}

Result<LayerPool::Lease> LayerPool::get(const spec::Digest& chain, const std::stop_token& stop,
                                        const std::function<Result<Layer>()>& make) {
  const std::stop_callback wake(stop, [this] {
    const MutexLock lock(mutex_);
    changed_.notify_all();
  });
  {
    MutexLock lock(mutex_);
    while (busy_.contains(chain) && !stop.stop_requested()) lock.wait(changed_);
    if (stop.stop_requested()) return Error(Kind::Cancelled, "context canceled");
    busy_.insert(chain);
  }
  auto lease = find_or_make(chain, make);
  const MutexLock lock(mutex_);
  busy_.erase(chain);
  changed_.notify_all();
  return lease;
}

Result<LayerPool::Lease> LayerPool::find_or_make(const spec::Digest& chain,
                                                 const std::function<Result<Layer>()>& make) {
  if (const auto known = TRY(snapshots_.find_chain(chain))) return hold(*known);
  const Layer layer = TRY(make());
  auto lease = hold_made(layer.snapshot);
  TRY(snapshots_.set_chain(layer.snapshot, chain, layer.bytes));
  return lease;
}

void LayerPool::keep(const std::string& snapshot) {
  const MutexLock lock(mutex_);
  uses_[snapshot].kept = true;
}

void LayerPool::release(const std::string& snapshot) {
  Use use;
  {
    const MutexLock lock(mutex_);
    use = uses_[snapshot];
    uses_[snapshot].leases = --use.leases;
    if (use.leases > 0) return;
    uses_.erase(snapshot);
  }
  if (!use.made || use.kept) return;
  // What somebody else has built on meanwhile stays; it goes at the next start unless an image has it.
  if (auto removed = snapshots_.remove(snapshot); !removed.ok() && removed.error().kind() != Kind::Conflict)
    log::warning("{}", removed.error().message());
}

}  // namespace skiff::image
