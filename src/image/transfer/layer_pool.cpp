#include "image/transfer/layer_pool.h"

namespace skiff::image {

Result<std::optional<LayerPool::Lease>> LayerPool::find(const spec::Digest& chain) {
  for (;;) {
    const auto known = TRY(store_.snapshots().find_chain(chain));
    if (!known) return std::optional<Lease>();
    auto lease = hold(*known);
    // It may have gone just before it was held; then another snapshot may be the same layer.
    const auto info = store_.snapshots().info(*known);
    if (info.ok()) return std::optional<Lease>(std::move(lease));
    if (info.error().kind() != Kind::NotFound) return info.error();
  }
}

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
  if (auto known = TRY(find(chain))) return std::move(*known);
  const Layer layer = TRY(make());
  auto lease = hold_made(layer.snapshot);
  TRY(store_.snapshots().set_chain(layer.snapshot, chain, layer.bytes));
  return lease;
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
  // The lease's own hold goes last, and the layer with it.
  if (use.made) store_.drop_layer(snapshot);
}

}  // namespace skiff::image
