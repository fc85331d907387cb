#pragma once

#include <string>
#include <utility>

#include "image/store.h"
#include "snapshot/store.h"
#include "spec/digest.h"

namespace skiff::image {

/// A layer whose files are here, in a folder of their own, and which stands on nothing yet: what an overlay
/// layer's folder holds does not depend on what lies below it. Goes with this object unless it is placed.
class LooseLayer {
 public:
  /// `scratch` is one of the snapshot store's scratch folders.
  LooseLayer(snapshot::Store& snapshots, std::string scratch)
      : snapshots_(&snapshots), scratch_(std::move(scratch)) {}
  LooseLayer(LooseLayer&& other) noexcept
      : diff_id(std::move(other.diff_id)),
        bytes(other.bytes),
        tar_bytes(other.tar_bytes),
        snapshots_(std::exchange(other.snapshots_, nullptr)),
        scratch_(std::move(other.scratch_)) {}
  LooseLayer& operator=(LooseLayer&&) = delete;
  ~LooseLayer() {
    if (snapshots_) snapshots_->discard(scratch_);
  }

  snapshot::Store& snapshots() const { return *snapshots_; }
  std::string folder() const { return scratch_ + "/layer"; }

  spec::Digest diff_id;         ///< digest of the uncompressed tar
  std::uint64_t bytes = 0;      ///< sum of the sizes of its files
  std::uint64_t tar_bytes = 0;  ///< size of the uncompressed tar

 private:
  snapshot::Store* snapshots_;
  std::string scratch_;
};

/// Unpacks one layer tar (plain, gzip or zstd, from a pipe or file) in a worker process and computes the diff
/// id on the way. A recipe for the tar is kept beside the files. Exhausted: no room, or more in it than the
/// store's layer_limits().
Result<LooseLayer> unpack_layer(Store& store, const sys::Fd& tar);
/// Makes it a Committed snapshot on top of `parent`.
Result<Layer> place_layer(LooseLayer layer, const std::string& parent);
/// The same of one whose files are to be served.
Result<Layer> place_served_layer(LooseLayer layer, const std::string& parent);

}  // namespace skiff::image
