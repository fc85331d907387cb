#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "archive/image_archive.h"
#include "image/store.h"

namespace skiff::image {

/// The entries of an archive of images, once a worker has unpacked them into a scratch folder of the snapshot
/// store; the folder goes with this object. Nothing in it is trusted. The layers of images that were here
/// when it was read, and those taken from it, are held as long: what the archive need not have must not go.
class ArchiveReader {
 public:
  static Result<std::unique_ptr<ArchiveReader>> read(Store& store, const sys::Fd& tar,
                                                     const archive::OnEntryProgress& progress = {});
  ArchiveReader(const ArchiveReader&) = delete;
  ArchiveReader& operator=(const ArchiveReader&) = delete;
  ~ArchiveReader();

  bool has(std::string_view name) const { return find(name) != nullptr; }
  /// The text of a document. NotFound when the archive has none of that name.
  Result<std::string> document(const std::string& name) const;
  /// Makes a snapshot of the layer that the entry `name` holds, on top of `parent`, and answers for what it
  /// is: InvalidArgument when its digest is not `diff_id`. Layers that the store has, or that were taken from
  /// the archive before, are made from those, also when the archive leaves them out.
  Result<Layer> layer(const std::string& name, const spec::Digest& diff_id, const std::string& parent);

  /// The size of a layer's tar, or 0 when nobody counted.
  std::uint64_t tar_bytes(const spec::Digest& diff_id) const {
    const auto known = layers_.find(diff_id);
    return known == layers_.end() ? 0 : known->second.tar_bytes;
  }

 private:
  ArchiveReader(Store& store, std::string folder) : store_(store), folder_(std::move(folder)) {}
  Result<void> fill(const sys::Fd& tar, const archive::OnEntryProgress& progress);
  Result<Layer> copy_of(const Layer& known, const std::string& parent);
  const archive::ImageArchiveEntry* find(std::string_view name) const;

  Store& store_;
  const std::string folder_;
  std::map<std::string, archive::ImageArchiveEntry, std::less<>> entries_;
  std::map<spec::Digest, Layer> layers_;  ///< by diff id: those of the store, and those taken
  std::vector<std::shared_ptr<const void>> holds_;
};

}  // namespace skiff::image
