#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "base/result.h"
#include "base/thread.h"
#include "image/loose_layer.h"
#include "image/store.h"
#include "image/transfer/download.h"
#include "image/transfer/slots.h"

namespace skiff::image {

class Unpackings;

/// A layer's blob that becomes files while it is downloaded, for however many want it. When the last of those
/// is gone the work stops, and what nobody took goes. Thread-safe.
class Unpacking {
 public:
  Unpacking(Unpackings& owner, std::shared_ptr<Download> download);
  ~Unpacking();
  Unpacking(const Unpacking&) = delete;
  Unpacking& operator=(const Unpacking&) = delete;

  const std::shared_ptr<Download>& download() const { return download_; }

  /// Waits for the layer and gives it away: its blob was verified. To a second one who asks, for another
  /// place of the same layer, a copy that is unpacked now. Errors: the download's own before those that come
  /// of it; they leave nothing.
  Result<LooseLayer> take(const std::stop_token& stop) EXCLUDES(mutex_);

 private:
  void run();
  Result<LooseLayer> unpack(const std::stop_token& stop);

  Unpackings& owner_;
  const std::shared_ptr<Download> download_;
  Mutex mutex_;
  std::condition_variable changed_;
  bool ended_ GUARDED_BY(mutex_) = false;
  std::optional<LooseLayer> layer_ GUARDED_BY(mutex_);  ///< until somebody takes it
  std::optional<Error> error_ GUARDED_BY(mutex_);
  std::stop_source stop_;
  std::thread thread_;  ///< the last member: it uses the others
};

/// All unpacking for pulls: one of each blob, and so many at once as there are processors. Outlives them.
class Unpackings {
 public:
  Unpackings(Store& store, const registry::Settings& settings);

  /// Of `blob`, whose download begins now unless it is under way already.
  std::shared_ptr<Unpacking> get(const spec::oci::Descriptor& blob,
                                 const std::shared_ptr<registry::Repository>& repository) EXCLUDES(mutex_);

 private:
  friend class Unpacking;

  Store& store_;
  Downloads downloads_;
  Slots slots_;
  Mutex mutex_;
  std::map<spec::Digest, std::weak_ptr<Unpacking>> known_ GUARDED_BY(mutex_);
};

}  // namespace skiff::image
