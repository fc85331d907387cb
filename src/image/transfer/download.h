#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "base/result.h"
#include "base/thread.h"
#include "content/store.h"
#include "image/transfer/slots.h"
#include "registry/client/repository.h"
#include "spec/oci_image.h"

namespace skiff::image {

class Downloads;

/// A blob on its way here, for however many want it: one thread loads it into a partial blob, which readers
/// follow while it grows. What broke off goes on where it stopped. When the last one who wanted it is gone
/// the download stops; what came is kept for the next time, unless somebody said that it was used.
/// Thread-safe.
class Download {
 public:
  enum class Phase : std::uint8_t { Waiting, Loading, Retrying, Verifying, Done, Failed };
  struct State {
    Phase phase = Phase::Loading;
    std::uint64_t here = 0;        ///< bytes
    std::chrono::seconds pause{};  ///< of Retrying: how long yet
    int generation = 0;            ///< how often it had to begin anew
    std::uint64_t unpacked = 0;    ///< bytes that were made use of
    std::optional<Error> error;    ///< of Failed
  };
  /// Hears of every change, from the loading thread.
  using Listener = std::function<void(const State&)>;

  Download(Downloads& owner, spec::oci::Descriptor blob, std::shared_ptr<registry::Repository> repository);
  ~Download();
  Download(const Download&) = delete;
  Download& operator=(const Download&) = delete;

  const spec::oci::Descriptor& blob() const { return blob_; }

  /// `listener` is told the present state at once. Gives a number for unlisten().
  int listen(Listener listener) EXCLUDES(mutex_);
  void unlisten(int number) EXCLUDES(mutex_);

  /// Waits for bytes behind `offset` and says how many are here: as many as `offset` at the verified end.
  /// `generation` is the reader's, 0 for a new one. Conflict when it began anew since: so must the reader.
  /// Else the download's own error, or Cancelled.
  Result<std::uint64_t> wait_beyond(std::uint64_t offset, int generation, const std::stop_token& stop)
      EXCLUDES(mutex_);
  /// Waits until everything is here and verified.
  Result<void> wait_done(const std::stop_token& stop) EXCLUDES(mutex_);
  State state() const EXCLUDES(mutex_);
  /// To be read up to what wait_beyond() said.
  int file() const { return partial_->file().get(); }
  /// So many bytes were made use of: listeners hear it.
  void unpacked(std::uint64_t bytes) EXCLUDES(mutex_);
  /// The bytes are needed no more.
  void used() { used_ = true; }
  /// Makes them a blob of the content store. Once everything is here and verified.
  Result<void> keep() EXCLUDES(mutex_);

 private:
  void run();
  void run_in_slot();
  Result<void> load();
  Result<void> verify();
  Result<void> take(std::uint64_t at, std::string_view piece);
  bool rest(int attempt);
  template <typename Change>
  void update(Change change) EXCLUDES(mutex_);

  Downloads& owner_;
  const spec::oci::Descriptor blob_;
  const std::shared_ptr<registry::Repository> repository_;
  std::unique_ptr<content::Store::Partial> partial_;  ///< set before the first byte is announced
  std::atomic<bool> used_ = false;
  bool kept_ GUARDED_BY(mutex_) = false;
  mutable Mutex mutex_;
  std::condition_variable changed_;
  State state_ GUARDED_BY(mutex_);
  std::map<int, Listener> listeners_ GUARDED_BY(mutex_);
  int next_listener_ GUARDED_BY(mutex_) = 0;
  std::stop_source stop_;
  std::thread thread_;  ///< the last member: it uses the others
};

/// All downloads of the engine: one of each blob, so many at once. Outlives them.
class Downloads {
 public:
  Downloads(content::Store& content, const registry::Settings& settings)
      : content_(content), settings_(settings), slots_(settings.concurrent_downloads) {}

  /// The download of `blob`, which begins now unless it is under way already.
  std::shared_ptr<Download> get(const spec::oci::Descriptor& blob,
                                const std::shared_ptr<registry::Repository>& repository) EXCLUDES(mutex_);

 private:
  friend class Download;
  void ended(const spec::Digest& digest) EXCLUDES(mutex_);

  content::Store& content_;
  /// Of all large blobs together: each may have a few megabytes that wait for their turn in memory.
  static constexpr int kFurtherConnections = 6;

  const registry::Settings& settings_;
  Slots slots_;
  Slots further_connections_{kFurtherConnections};
  Mutex mutex_;
  std::condition_variable changed_;
  std::map<spec::Digest, std::weak_ptr<Download>> known_ GUARDED_BY(mutex_);
};

}  // namespace skiff::image
