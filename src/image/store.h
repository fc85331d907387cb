#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "content/store.h"
#include "meta/database.h"
#include "snapshot/store.h"
#include "spec/digest.h"
#include "spec/layer_limits.h"
#include "spec/oci_image.h"
#include "spec/reference.h"
#include "sys/fd.h"

namespace skiff::image {

/// One layer on its way into an image, or in it.
struct Layer {
  spec::Digest diff_id;         ///< digest of the uncompressed tar
  std::string snapshot;         ///< Committed snapshot whose top is this layer
  std::uint64_t bytes = 0;      ///< sum of the sizes of its files
  std::uint64_t tar_bytes = 0;  ///< size of the uncompressed tar; 0 when nobody counted
};

struct Image {
  spec::Digest id;                        ///< digest of the config blob
  spec::oci::Image config;                ///< config, rootfs.diff_ids, history
  std::vector<std::string> tags;          ///< familiar form, "busybox:latest"
  std::vector<std::string> repo_digests;  ///< "busybox@sha256:..."
  std::string parent;                     ///< id of the image a build started from here, or ""
  std::string snapshot;                   ///< key of the topmost layer's snapshot; "" for an empty image
  std::vector<Layer> layers;              ///< bottom first
  std::vector<spec::Digest> manifests;    ///< blobs: the manifest, and the index, that it was pulled with
  std::vector<spec::Digest> layer_blobs;  ///< compressed layers that were kept as they came; some may be gone
  std::uint64_t size = 0;                 ///< bytes of all layers
  Time tagged{};                          ///< last time a name was given to it
  std::string damage;                     ///< why its config cannot be read, or ""; then that is empty
  bool pinned = false;                    ///< removed by nobody but who forces it
  Time used{};   ///< last time it was made, pulled, loaded, built from, or a container was made of it
  Time noted{};  ///< the use that is written down
};

/// The id of the image that Store::create() makes of a config.
spec::Digest id_of(const spec::oci::Image& config);

/// What a deletion did, one line each as in `docker rmi`.
struct Removal {
  std::string untagged;  ///< a reference, or ""
  std::string deleted;   ///< an image id, or ""
};

/// The full id of a container that keeps an image from being deleted, a running one if there is any, or "".
/// Called with the store's lock held, so that no container can be made of the image meanwhile: it must not
/// call the store.
using InUse = std::function<std::string(const spec::Digest& image, bool* running)>;

/// Runs `work` while no container that stands on the snapshot `layer` begins or ends to run, and tells it
/// which Active snapshots are those of containers that do not. Called without a lock of the store's.
using WhileStill = std::function<Result<void>(
    const std::string& layer, const std::function<Result<void>(const std::set<std::string>& idle)>& work)>;

/// Names -> images -> layers. Thread-safe. Errors use Docker's sentences. Layers that no image needs any more
/// are removed; those that something still stands on (a container, a build's cache) when the last image goes
/// are remembered and removed later.
class Store {
 public:
  static Result<std::unique_ptr<Store>> open(content::Store& content, snapshot::Store& snapshots,
                                             meta::Database& database,
                                             const spec::LayerLimits& limits = spec::kDefaultLayerLimits);
  virtual ~Store() = default;

  /// By name, "sha256:..." or unique id prefix. NotFound: "No such image: x:latest". DataLoss for one whose
  /// config is damaged: it can be listed, removed, and made once more.
  virtual Result<Image> resolve(std::string_view name) = 0;
  /// As resolve(), the id alone, that of a damaged image too.
  virtual Result<spec::Digest> id_of(std::string_view name) = 0;
  virtual Result<std::vector<Image>> list() = 0;

  /// Stores an image whose layers, bottom first, are committed snapshots; config.rootfs.diff_ids must match
  /// them. Everything is safe on disk when this returns. Making an image that exists is fine: what was
  /// damaged of it is taken from `layers`, which stay the caller's.
  virtual Result<Image> create(const spec::oci::Image& config, const std::vector<Layer>& layers,
                               const std::string& parent) = 0;
  /// As create(), of a config whose very bytes come from elsewhere (a registry, an archive): the image's id
  /// is their digest. InvalidArgument also for bytes that are no image config.
  virtual Result<Image> create_from(const std::string& config, const std::vector<Layer>& layers,
                                    const std::string& parent) = 0;
  virtual Result<void> tag(const spec::Digest& id, const spec::Reference& name) = 0;
  /// Notes that a registry has the image under `name`, which has a digest: it becomes one of its repo
  /// digests, by which it can be named. `manifests` are blobs that go with the image: its manifest, and the
  /// index that this stands in.
  virtual Result<void> add_digest(const spec::Digest& id, const spec::Reference& name,
                                  const std::vector<spec::Digest>& manifests) = 0;
  /// Compressed layers in the content store that stay there as long as the image. Those that are not there
  /// are passed over.
  virtual Result<void> add_layer_blobs(const spec::Digest& id, const std::vector<spec::Digest>& blobs) = 0;
  /// What `docker rmi` does: untags `name`, or deletes by id. Conflict with Docker's sentence when it may not
  /// go.
  virtual Result<std::vector<Removal>> remove(std::string_view name, bool force, bool prune_parents,
                                              const InUse& in_use) = 0;

  /// Whether the image `name` stands for, whatever else it is called, may be removed without force. Its id.
  virtual Result<spec::Digest> pin(std::string_view name, bool pinned) = 0;
  /// Notes that an image is used now. Not worth a failure: that is logged.
  virtual void used(const spec::Digest& id) = 0;
  /// Keeps an image from going, unless by force, as long as what comes back is kept: a build stands on it, or
  /// its pull is not finished. One that is here must be looked up once more afterwards: it may have gone just
  /// before. One that is not may come. The store outlives all holds.
  virtual std::shared_ptr<const void> hold(const spec::Digest& id) = 0;
  /// Keeps layers from going, by force too, as long as what comes back is kept: somebody is about to make an
  /// image of them. Each must be looked up afterwards: it may have gone just before. What it stands on cannot
  /// go before it does. The store outlives all holds.
  virtual std::shared_ptr<const void> hold_layers(const std::vector<std::string>& snapshots) = 0;
  /// The same of all layers whose snapshots' keys begin with `prefix`, those made meanwhile too: a build may
  /// find any that a build has made.
  virtual std::shared_ptr<const void> hold_layers_of(const std::string& prefix) = 0;
  /// Removes an image with all its names, as one step. Conflict when it is pinned, held, was used since
  /// `since`, has children, or any container.
  virtual Result<std::vector<Removal>> evict(const spec::Digest& id, Time since, const InUse& in_use) = 0;
  /// Takes back an image that was made just now, unless it got a name meanwhile, or somebody stands on it or
  /// holds it. Not worth a failure: that is logged.
  virtual void take_back(const spec::Digest& id) = 0;
  /// Removes layers that no image needs and nothing stands on any more.
  virtual Result<void> sweep_layers() = 0;
  /// Removes a layer. Conflict when an image has it, it is held, or something stands on it.
  virtual Result<void> remove_layer(const std::string& snapshot) = 0;
  /// Says that whoever made a layer came to no image with it. It goes as soon as it can, which is never when
  /// somebody else has made an image of it. Not worth a failure: that is logged.
  virtual void drop_layer(const std::string& snapshot) = 0;

  /// Unpacks one layer tar (plain, gzip or zstd, from a pipe or file) on top of `parent` in a worker process,
  /// commits the snapshot and computes the diff id on the way. A recipe for the tar is kept beside it.
  virtual Result<Layer> import_layer(const sys::Fd& tar, const std::string& parent) = 0;
  /// Commits an Active snapshot as a layer: its diff id is the digest of the tar that archive::diff makes of
  /// it.
  virtual Result<Layer> commit_layer(const std::string& active, const std::string& committed) = 0;

  /// The size of the tar that write_layer() writes.
  virtual Result<std::uint64_t> layer_tar_bytes(const Layer& layer) = 0;
  /// Writes the exact tar of a layer, the bytes whose digest its diff id is, to `out` (a file, pipe or
  /// socket), by a worker process. DataLoss naming the layer when it cannot be made any more, or turned out
  /// otherwise; `out` has got bytes then that are not to be used.
  virtual Result<void> write_layer(const Layer& layer, const sys::Fd& out) = 0;

  /// Gives the damaged layer `snapshot` the files of `sound`, the same layer made anew, whatever stands on
  /// it; `sound` has the damaged ones then, and stays the caller's. Conflict names who uses it.
  virtual Result<void> mend_layer(const std::string& snapshot, const std::string& sound) = 0;
  /// To be said before anything is mended by several threads. Without it only what nobody stands on is.
  virtual void set_while_still(WhileStill while_still) = 0;

  /// Sees to it that all files of the layer `snapshot` and of those below it are here, and are what their
  /// diff ids say; for layers that are not pulled lazily there is nothing to do. Who stands another image on
  /// them, or needs all their bytes, asks this first.
  virtual Result<void> make_whole(const std::string& snapshot) = 0;
  /// Brings the files of one snapshot that is served. To be said before several threads use the store.
  virtual void set_whole(std::function<Result<void>(const std::string& snapshot)> whole) = 0;

  /// What a layer from outside may hold.
  virtual const spec::LayerLimits& layer_limits() = 0;
  virtual snapshot::Store& snapshots() = 0;
  virtual content::Store& content() = 0;
};

}  // namespace skiff::image
