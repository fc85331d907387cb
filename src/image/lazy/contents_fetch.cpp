#include "image/lazy/contents_fetch.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/contents.h"
#include "archive/worker.h"
#include "base/strings.h"
#include "sys/file.h"

namespace skiff::image {
namespace {

constexpr const char* kPosition = "io.github.containers.zstd-chunked.manifest-position";
constexpr const char* kChecksum = "io.github.containers.zstd-chunked.manifest-checksum";
/// The kind of table that CRFS has: the only one that there is.
constexpr std::uint64_t kCrfs = 1;

Result<sys::Fd> memory_file(std::string_view bytes) {
  sys::Fd file(::memfd_create("skiff-contents", MFD_CLOEXEC));
  if (!file) return fail_errno("memfd_create");
  TRY(sys::write_all(file, bytes));
  if (::lseek(file.get(), 0, SEEK_SET) < 0) return fail_errno("seek");
  return file;
}

}  // namespace

std::optional<ContentsPlace> find_contents(const spec::oci::Descriptor& layer) {
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
  return ContentsPlace{*offset, *size, *digest};
}

Result<LooseLayer> fetch_contents(Store& store, registry::Repository& repository,
                                  const spec::oci::Descriptor& layer, const ContentsPlace& place,
                                  const lazy::LazyNote& note, const std::stop_token& stop) {
  const auto bytes = TRY(repository.read_range(layer.digest, place.offset, place.size, stop));
  if (spec::Digest::of(bytes) != place.digest)
    return fail(Kind::DataLoss, "the table of contents of layer {} does not have the digest {}",
                layer.digest.to_string(), place.digest.to_string());
  LooseLayer loose(store.snapshots(), TRY(store.snapshots().scratch()));
  const std::string files = loose.folder() + "/fs";
  for (const auto& path : {loose.folder(), files})
    if (::mkdir(path.c_str(), 0755) != 0) return fail_errno("mkdir {}", path);
  const sys::Fd contents = TRY(memory_file(bytes));
  const sys::Fd nowhere = TRY(sys::open_directory(files));
  const sys::Fd index = TRY(sys::open_file(fmt::format("{}/{}", loose.folder(), lazy::kIndexNote),
                                           O_WRONLY | O_CREAT | O_EXCL, 0600));
  const auto stats = TRY(archive::read_contents(contents, nowhere, static_cast<std::uint64_t>(layer.size),
                                                store.layer_limits(), index));
  const sys::Fd told = TRY(
      sys::open_file(fmt::format("{}/{}", loose.folder(), lazy::kNote), O_WRONLY | O_CREAT | O_EXCL, 0600));
  TRY(sys::write_all(told, json::encode(note)));
  loose.diff_id = note.diff_id;
  loose.bytes = stats.bytes;
  return loose;
}

}  // namespace skiff::image
