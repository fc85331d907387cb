#include "image/transfer/unpacking.h"

#include <algorithm>

#include "image/transfer/unpack.h"

namespace skiff::image {

Unpacking::Unpacking(Unpackings& owner, std::shared_ptr<Download> download)
    : owner_(owner), download_(std::move(download)), thread_([this] { run(); }) {}

Unpacking::~Unpacking() {
  stop_.request_stop();
  thread_.join();
}

void Unpacking::run() {
  auto made = unpack(stop_.get_token());
  const MutexLock lock(mutex_);
  if (made.ok())
    layer_.emplace(*std::move(made));
  else
    error_ = made.error();
  ended_ = true;
  changed_.notify_all();
}

Result<LooseLayer> Unpacking::unpack(const std::stop_token& stop) {
  // A download that still waits for its turn needs no worker yet. What goes wrong with it is told below.
  (void)download_->wait_beyond(0, download_->state().generation, stop);
  const auto slot = owner_.slots_.take(stop);
  if (!slot) return Error(Kind::Cancelled, "context canceled");
  return image::unpack(owner_.store_, *download_, stop);
}

Result<LooseLayer> Unpacking::take(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] {
    const MutexLock lock(mutex_);
    changed_.notify_all();
  });
  {
    MutexLock lock(mutex_);
    while (!ended_ && !stop.stop_requested()) lock.wait(changed_);
    if (!ended_) return Error(Kind::Cancelled, "context canceled");
    if (error_) return *error_;
    if (layer_) {
      LooseLayer taken = *std::move(layer_);
      layer_.reset();
      return taken;
    }
  }
  return unpack(stop);
}

Unpackings::Unpackings(Store& store, const registry::Settings& settings)
    : store_(store),
      downloads_(store.content(), settings),
      slots_(std::max(2, static_cast<int>(std::thread::hardware_concurrency()))) {}

std::shared_ptr<Unpacking> Unpackings::get(const spec::oci::Descriptor& blob,
                                           const std::shared_ptr<registry::Repository>& repository) {
  const MutexLock lock(mutex_);
  std::erase_if(known_, [](const auto& known) { return known.second.expired(); });
  auto& known = known_[blob.digest];
  if (auto unpacking = known.lock()) return unpacking;
  auto unpacking = std::make_shared<Unpacking>(*this, downloads_.get(blob, repository));
  known = unpacking;
  return unpacking;
}

}  // namespace skiff::image
