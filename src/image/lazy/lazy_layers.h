#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <optional>
#include <semaphore>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/thread.h"
#include "image/loose_layer.h"
#include "image/store.h"
#include "image/transfer/blob_ledger.h"
#include "image/transfer/source.h"
#include "lazy/place.h"
#include "lazy/server.h"

namespace skiff::image {

/// Layers whose files are read from the registry as they are needed. The life of one:
///
///     prepare()                      its table of contents is here: a folder, served by nobody yet
///     snapshot adopt_served(), image create
///     serve()                        a process shows its files: containers can start
///     behind their backs             all bytes come, one image after the other
///     make_whole(), or so            the blob is verified and unpacked as any other, its diff id too, and
///                                    the snapshot has its files: an ordinary layer (snapshot fill())
///     a little later                 the process ends, once no container uses it any more
///
/// Thread-safe. The snapshot store's and the image store's hooks lead here.
class LazyLayers {
 public:
  /// All outlive it, and it outlives whoever uses the stores. Without `background` bytes come only when
  /// somebody reads them, or needs all.
  LazyLayers(Store& store, BlobLedger& ledger, const registry::Settings& settings, bool background);
  ~LazyLayers();
  LazyLayers(const LazyLayers&) = delete;
  LazyLayers& operator=(const LazyLayers&) = delete;

  /// Nobody waits for bytes any more who has no say of his own in it: Cancelled. Also for those who ask
  /// later. To be said before the end, while others still use the stores.
  void stop() EXCLUDES(mutex_);
  /// Whether this machine can do it at all.
  static bool possible();

  /// Of a pull that wants it: the layer to be served, or nothing when that cannot be, which is logged.
  Result<std::optional<LooseLayer>> prepare(const spec::oci::Descriptor& blob,
                                            registry::Repository& repository, const lazy::LazyNote& note,
                                            const std::stop_token& stop);
  /// Has the layers in these folders served, with all others of their pulls.
  Result<void> serve(const std::vector<std::string>& directories) EXCLUDES(mutex_);
  /// Brings all files of a served snapshot here, or finds them here. DataLoss for a layer that turns out not
  /// to hold what the image's config says: its damage is noted.
  Result<void> make_whole(const std::string& snapshot, const std::stop_token& stop = {}) EXCLUDES(mutex_);
  /// There are new layers to fetch behind everybody's back.
  void wake() EXCLUDES(mutex_);
  /// Who pulls the image anew may read it from now on: those of its layers that come from the repository of
  /// `wanted` are served with its credentials.
  Result<void> renew(const Image& image, const lazy::LazyNote& wanted) EXCLUDES(mutex_);

 private:
  using Clock = std::chrono::steady_clock;
  /// Tables of contents that are read at a time: each may take a worker a lot of memory.
  static constexpr std::ptrdiff_t kMostTables = 4;
  struct Member {
    std::string snapshot;
    std::string directory;
    bool damaged = false;
    lazy::LazyNote note;
  };
  /// The layers of one pull.
  struct Group {
    bool starting = false;
    std::shared_ptr<lazy::Server> server;
  };
  Result<std::vector<Member>> members(std::string_view group = {});
  Result<std::shared_ptr<lazy::Server>> server_of(const lazy::LazyNote& note) EXCLUDES(mutex_);
  Result<std::shared_ptr<lazy::Server>> start(const lazy::LazyNote& note);
  Result<std::shared_ptr<lazy::Server>> start_once(const lazy::LazyNote& note);
  Result<void> fill(const std::string& snapshot, bool urgent, const std::stop_token& stop) EXCLUDES(mutex_);
  Result<void> unpack(const snapshot::Info& info, const lazy::LazyNote& note);
  Result<void> remember_blob(const lazy::LazyNote& note);
  Result<std::optional<std::string>> renew_layer(const std::string& snapshot, const lazy::LazyNote& wanted)
      EXCLUDES(mutex_);
  void take_turn(const std::string& snapshot) EXCLUDES(mutex_);
  void end_turn(const std::string& snapshot) EXCLUDES(mutex_);
  void retire_later(const std::string& snapshot) EXCLUDES(mutex_);
  void tend(const std::stop_token& stop) EXCLUDES(mutex_);
  void retire() EXCLUDES(mutex_);
  bool fetch_one(const std::stop_token& stop) EXCLUDES(mutex_);
  void forget_groups() EXCLUDES(mutex_);

  Store& store_;
  BlobLedger& ledger_;
  const registry::Settings& settings_;
  const bool background_;
  std::counting_semaphore<> tables_{kMostTables};
  Mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Group> groups_ GUARDED_BY(mutex_);
  std::set<std::string> turns_ GUARDED_BY(mutex_);  ///< snapshots that somebody changes
  std::map<std::string, Clock::time_point> retiring_ GUARDED_BY(mutex_);
  /// What could not be fetched: when it is tried again.
  struct Later {
    Clock::time_point when;
    std::chrono::seconds pause{};
  };
  std::map<std::string, Later> later_ GUARDED_BY(mutex_);
  bool woken_ GUARDED_BY(mutex_) = true;
  std::stop_source stop_;
  std::thread thread_;  ///< the last member: it uses the others
};

}  // namespace skiff::image
