#include "image/lazy/contents_fetch.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/contents.h"
#include "archive/estargz.h"
#include "archive/worker.h"
#include "base/strings.h"
#include "sys/file.h"

namespace skiff::image {
namespace {

constexpr const char* kPosition = "io.github.containers.zstd-chunked.manifest-position";
constexpr const char* kChecksum = "io.github.containers.zstd-chunked.manifest-checksum";
constexpr const char* kEstargzDigest = "containerd.io/snapshot/stargz/toc.digest";
/// The kind of table that CRFS has: the only one that there is.
constexpr std::uint64_t kCrfs = 1;

Result<sys::Fd> memory_file(std::string_view bytes) {
  sys::Fd file(::memfd_create("skiff-contents", MFD_CLOEXEC));
  if (!file) return fail_errno("memfd_create");
  TRY(sys::write_all(file, bytes));
  if (::lseek(file.get(), 0, SEEK_SET) < 0) return fail_errno("seek");
  return file;
}

/// A layer on its way: its registry, what is known of it, and the folder that becomes it.
struct Fetch {
  Store& store;
  registry::Repository& repository;
  const spec::oci::Descriptor& layer;
  const std::stop_token& stop;
  std::uint64_t size() const { return static_cast<std::uint64_t>(layer.size); }
  Result<std::string> range(std::uint64_t offset, std::uint64_t size) const {
    return repository.read_range(layer.digest, offset, size, stop);
  }
};

/// The JSON out of the gzipped tar at the end of an eStargz layer, unpacked as any other tar, in a folder of
/// its own.
Result<sys::Fd> estargz_json(const Fetch& fetch, std::uint64_t at) {
  const std::uint64_t size = fetch.size() - archive::kEstargzFooter - at;
  if (size > archive::kLargestContents)
    return fail(Kind::Exhausted, "the layer's table of contents has {} bytes", size);
  const sys::Fd packed = TRY(memory_file(TRY(fetch.range(at, size))));
  LooseLayer aside(fetch.store.snapshots(), TRY(fetch.store.snapshots().scratch()));
  if (::mkdir(aside.folder().c_str(), 0700) != 0) return fail_errno("mkdir {}", aside.folder());
  const sys::Fd folder = TRY(sys::open_directory(aside.folder()));
  archive::Root root;
  root.directory = folder.get();
  archive::ApplyOptions options;
  options.limits.bytes = archive::kLargestContents;
  options.limits.entries = 1;
  TRY(archive::unpack(packed, root, "/", options));
  return sys::open_at(folder, archive::kEstargzContents, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
}

/// The table that the manifest vouches for, which may have been much smaller on its way: it is never in
/// memory.
Result<void> verify_contents(const sys::Fd& contents, const Fetch& fetch, const spec::Digest& wanted) {
  spec::Hasher hasher;
  std::string piece(64 << 10, '\0');
  for (std::uint64_t total = 0;;) {
    const std::size_t count = TRY(sys::read_some(contents, piece.data(), piece.size()));
    if (count == 0) break;
    total += count;
    if (total > archive::kLargestContents)
      return fail(Kind::Exhausted, "the table of contents of layer {} has more than {} bytes",
                  fetch.layer.digest.to_string(), archive::kLargestContents);
    hasher.update(std::string_view(piece).substr(0, count));
  }
  if (hasher.finish() != wanted)
    return fail(Kind::DataLoss, "the table of contents of layer {} does not have the digest {}",
                fetch.layer.digest.to_string(), wanted.to_string());
  return ::lseek(contents.get(), 0, SEEK_SET) < 0 ? Result<void>(fail_errno("seek")) : success();
}

}  // namespace

std::optional<ContentsPlace> find_contents(const spec::oci::Descriptor& layer) {
  const auto told = layer.annotations.find(kEstargzDigest);
  // Some converters leave it on layers that they turn into zstd:chunked.
  if (told != layer.annotations.end() && !layer.annotations.contains(kPosition)) {
    const auto digest = spec::Digest::parse(told->second);
    if (!digest.ok() || digest->algorithm() != "sha256" ||
        layer.size <= static_cast<std::int64_t>(archive::kEstargzFooter))
      return std::nullopt;
    return ContentsPlace{true, 0, 0, *digest};
  }
  const auto position = layer.annotations.find(kPosition);
  const auto checksum = layer.annotations.find(kChecksum);
  if (position == layer.annotations.end() || checksum == layer.annotations.end()) return std::nullopt;
  const auto digest = spec::Digest::parse(checksum->second);
  const auto parts = split(position->second, ':');
  if (!digest.ok() || digest->algorithm() != "sha256" || parts.size() != 4) return std::nullopt;
  const auto offset = parse_uint(parts[0]);
  const auto size = parse_uint(parts[1]);
  const auto blob_size = static_cast<std::uint64_t>(layer.size);
  if (!offset || !size || parse_uint(parts[3]) != kCrfs || layer.size <= 0) return std::nullopt;
  if (*size == 0 || *size > archive::kLargestContents || *offset > blob_size || *size > blob_size - *offset)
    return std::nullopt;
  return ContentsPlace{false, *offset, *size, *digest};
}

Result<LooseLayer> fetch_contents(Store& store, registry::Repository& repository,
                                  const spec::oci::Descriptor& layer, const ContentsPlace& place,
                                  const lazy::LazyNote& note, const std::stop_token& stop) {
  const Fetch fetch{store, repository, layer, stop};
  archive::ContentsOf blob{fetch.size(), {}};
  if (place.estargz) {
    const auto footer = TRY(fetch.range(blob.size - archive::kEstargzFooter, archive::kEstargzFooter));
    blob.estargz = TRY(archive::estargz_contents(footer, blob.size));
  }
  const sys::Fd contents = blob.estargz ? TRY(estargz_json(fetch, *blob.estargz))
                                        : TRY(memory_file(TRY(fetch.range(place.offset, place.size))));
  TRY(verify_contents(contents, fetch, place.digest));
  LooseLayer loose(store.snapshots(), TRY(store.snapshots().scratch()));
  const std::string files = loose.folder() + "/fs";
  for (const auto& path : {loose.folder(), files})
    if (::mkdir(path.c_str(), 0755) != 0) return fail_errno("mkdir {}", path);
  const sys::Fd nowhere = TRY(sys::open_directory(files));
  const sys::Fd index = TRY(sys::open_file(fmt::format("{}/{}", loose.folder(), lazy::kIndexNote),
                                           O_WRONLY | O_CREAT | O_EXCL, 0600));
  const auto stats = TRY(archive::read_contents(contents, nowhere, blob, store.layer_limits(), index));
  const sys::Fd told = TRY(
      sys::open_file(fmt::format("{}/{}", loose.folder(), lazy::kNote), O_WRONLY | O_CREAT | O_EXCL, 0600));
  TRY(sys::write_all(told, json::encode(note)));
  loose.diff_id = note.diff_id;
  loose.bytes = stats.bytes;
  return loose;
}

}  // namespace skiff::image
