#pragma once

#include <memory>
#include <string>

#include "base/thread.h"
#include "image/transfer/download.h"
#include "image/transfer/progress.h"

namespace skiff::image {

/// What one pull says of one of its layers, in Docker's words: "Waiting", "Downloading", "Verifying
/// Checksum", "Download complete", "Extracting", "Pull complete". Holds the download for as long.
class LayerProgress {
 public:
  LayerProgress(Progress& progress, std::shared_ptr<Download> download);
  ~LayerProgress();
  LayerProgress(const LayerProgress&) = delete;
  LayerProgress& operator=(const LayerProgress&) = delete;

  Download& download() { return *download_; }
  void done() EXCLUDES(mutex_);

 private:
  void hear(const Download::State& state) EXCLUDES(mutex_);

  Progress& progress_;
  const std::shared_ptr<Download> download_;
  const std::string id_;
  Mutex mutex_;
  Meter meter_ GUARDED_BY(mutex_);
  Download::Phase shown_ GUARDED_BY(mutex_) = Download::Phase::Failed;  ///< none of those that are shown
  int listener_ = 0;
};

}  // namespace skiff::image
