#include "image/transfer/layer_progress.h"

namespace skiff::image {

LayerProgress::LayerProgress(Progress& progress, std::shared_ptr<Download> download)
    : progress_(progress),
      download_(std::move(download)),
      id_(download_->blob().digest.short_hex()),
      meter_(progress, id_) {
  listener_ = download_->listen([this](const Download::State& state) { hear(state); });
}

LayerProgress::~LayerProgress() { download_->unlisten(listener_); }

void LayerProgress::hear(const Download::State& state) {
  using Phase = Download::Phase;
  const MutexLock lock(mutex_);
  const auto total = static_cast<std::uint64_t>(download_->blob().size);
  switch (state.phase) {
    case Phase::Waiting:
      progress_.action(id_, "Waiting");
      break;
    case Phase::Loading:
      if (state.here > 0) meter_.show("Downloading", state.here, total);
      break;
    case Phase::Retrying:
      progress_.action(id_, fmt::format("Retrying in {} second{}", state.pause.count(),
                                        state.pause.count() == 1 ? "" : "s"));
      break;
    case Phase::Verifying:
      if (shown_ != Phase::Verifying) progress_.action(id_, "Verifying Checksum");
      break;
    case Phase::Done:
      if (shown_ != Phase::Done) progress_.action(id_, "Download complete");
      // Before that the bar of the download says more.
      if (shown_ == Phase::Done) meter_.show("Extracting", state.unpacked, total);
      break;
    case Phase::Failed:
      break;
  }
  shown_ = state.phase;
}

void LayerProgress::done() {
  const MutexLock lock(mutex_);
  progress_.action(id_, "Pull complete");
}

}  // namespace skiff::image
