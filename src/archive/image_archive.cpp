#include "archive/image_archive.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>

#include "archive/ahead_source.h"
#include "archive/apply.h"
#include "archive/recorder.h"
#include "archive/side_thread.h"
#include "archive/tar_reader.h"
#include "base/strings.h"
#include "spec/digest.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::archive {

namespace {

constexpr std::size_t kMostEntries = 20'000;
constexpr std::size_t kMostName = 255;
constexpr std::uint64_t kMostDocuments = 64 << 20;
constexpr std::size_t kBlock = 512;
constexpr std::string_view kBlobs = "blobs/sha256/";
constexpr std::uint64_t kStep = 4 << 20;  ///< bytes after which the reader says how far it is

/// The data of the entry that a reader stands at.
class EntrySource final : public Source {
 public:
  EntrySource(TarReader& tar, EntryProgress progress, const OnEntryProgress& tell)
      : tar_(tar), progress_(std::move(progress)), tell_(tell) {}
  Result<std::string_view> next() override {
    std::int64_t offset = 0;
    const auto bytes = TRY(tar_.data(offset));
    if (!bytes.empty() && offset != position_)
      return fail(Kind::InvalidArgument, "a sparse entry where an image has none");
    position_ += static_cast<std::int64_t>(bytes.size());
    progress_.current += bytes.size();
    if (tell_ && progress_.current >= told_ + kStep) {
      told_ = progress_.current;
      tell_(progress_);
    }
    return bytes;
  }

 private:
  TarReader& tar_;
  EntryProgress progress_;
  const OnEntryProgress& tell_;
  std::uint64_t told_ = 0;
  std::int64_t position_ = 0;
};

std::optional<unsigned> octal(std::string_view field) {
  unsigned value = 0;
  bool any = false;
  for (const char c : field) {
    if (c == ' ' && !any) continue;
    if (c < '0' || c > '7') break;
    value = value * 8 + static_cast<unsigned>(c - '0');
    any = true;
  }
  return any ? std::optional(value) : std::nullopt;
}

/// Whether a file begins like a tar: a header whose sum is right, or the zeros that end an empty one.
bool begins_like_tar(std::string_view block) {
  if (block.size() < kBlock) return false;
  if (block.find_first_not_of('\0') == std::string_view::npos) return true;
  constexpr std::size_t at = 148;
  constexpr std::size_t size = 8;
  unsigned sum = size * ' ';
  for (std::size_t i = 0; i < kBlock; ++i)
    if (i < at || i >= at + size) sum += static_cast<unsigned char>(block[i]);
  return octal(block.substr(at, size)) == sum;
}

class Unpacker {
 public:
  Unpacker(Source& tar, const sys::Fd& folder, const std::set<std::string>& known,
           const spec::LayerLimits& limits, SideThread& aside, const OnEntryProgress& progress)
      : tar_(tar), folder_(folder), known_(known), limits_(limits), aside_(aside), progress_(progress) {}

  Result<std::vector<ImageArchiveEntry>> run() {
    Entry entry;
    while (TRY(tar_.next(entry))) {
      if (++seen_ > kMostEntries)
        return fail(Kind::Exhausted, "the archive has more than {} entries", kMostEntries);
      TRY(take(entry));
    }
    return std::move(entries_);
  }

 private:
  Result<void> take(const Entry& entry);
  Result<void> file(ImageArchiveEntry taken, std::uint64_t size);
  Result<void> layer(ImageArchiveEntry taken, std::unique_ptr<HeadSource> source);
  Result<void> unpack(ImageArchiveEntry& taken, std::unique_ptr<HeadSource> source);
  Result<void> document(ImageArchiveEntry taken, Source& source);

  TarReader tar_;
  const sys::Fd& folder_;
  const std::set<std::string>& known_;
  const spec::LayerLimits& limits_;
  SideThread& aside_;  ///< reads and hashes a layer's bytes while they become files here
  const OnEntryProgress& progress_;
  std::vector<ImageArchiveEntry> entries_;
  std::size_t seen_ = 0;
  std::uint64_t documents_ = 0;  ///< bytes
};

Result<void> Unpacker::take(const Entry& entry) {
  ImageArchiveEntry taken;
  taken.name = sys::clean_path("/" + entry.path).substr(1);
  if (taken.name.empty() || taken.name.size() > kMostName) return {};
  switch (entry.type) {
    case Entry::Type::Regular:
      return file(std::move(taken), entry.size);
    case Entry::Type::Symlink:
    case Entry::Type::HardLink: {
      const std::string folder(entry.type == Entry::Type::Symlink ? sys::dir_name(taken.name) : "");
      taken.kind = ImageArchiveEntry::Kind::Link;
      taken.link = sys::clean_path("/" + folder + "/" + entry.link).substr(1);
      if (taken.link.size() <= kMostName) entries_.push_back(std::move(taken));
      return {};
    }
    default:
      return {};
  }
}

Result<void> Unpacker::file(ImageArchiveEntry taken, std::uint64_t size) {
  if (taken.name.starts_with(kBlobs) && known_.contains(taken.name.substr(kBlobs.size()))) {
    taken.kind = ImageArchiveEntry::Kind::Known;
    taken.digest = "sha256:" + taken.name.substr(kBlobs.size());
    entries_.push_back(std::move(taken));
    return {};
  }
  EntrySource data(tar_, {taken.name, 0, size}, progress_);
  auto source = std::make_unique<HeadSource>(data);
  const auto head = TRY(source->peek(kBlock));
  if (detect_compression(head) != Compression::None || begins_like_tar(head))
    return layer(std::move(taken), std::move(source));
  if (size > kMostDocument) return {};
  return document(std::move(taken), *source);
}

Result<void> Unpacker::document(ImageArchiveEntry taken, Source& source) {
  taken.place = fmt::format("document-{}", entries_.size());
  const sys::Fd out = TRY(sys::open_at(folder_, taken.place, O_WRONLY | O_CREAT | O_EXCL, 0600));
  for (;;) {
    const auto bytes = TRY(source.next());
    if (bytes.empty()) break;
    documents_ += bytes.size();
    if (documents_ > kMostDocuments)
      return fail(Kind::Exhausted, "the archive has more than {} of documents",
                  bytes_size(static_cast<double>(kMostDocuments)));
    TRY(sys::write_all(out, bytes));
  }
  entries_.push_back(std::move(taken));
  return {};
}

Result<void> Unpacker::layer(ImageArchiveEntry taken, std::unique_ptr<HeadSource> source) {
  taken.kind = ImageArchiveEntry::Kind::Layer;
  taken.place = fmt::format("layer-{}", entries_.size());
  const auto unpacked = unpack(taken, std::move(source));
  if (!unpacked) {
    const Kind kind = unpacked.error().kind();
    // A hostile or damaged layer matters only if an image is made of it; a full disk, and one that would fill
    // it, matter at once.
    if (kind != Kind::InvalidArgument && kind != Kind::Forbidden)
      return unpacked.error().with_context(fmt::format("layer {}", quote(taken.name)));
    taken.error = unpacked.error().message();
    taken.error_kind = static_cast<int>(kind);
  }
  entries_.push_back(std::move(taken));
  return {};
}

Result<void> Unpacker::unpack(ImageArchiveEntry& taken, std::unique_ptr<HeadSource> source) {
  if (::mkdirat(folder_.get(), taken.place.c_str(), 0700) != 0) return fail_errno("mkdir {}", taken.place);
  const std::string files = taken.place + "/fs";
  if (::mkdirat(folder_.get(), files.c_str(), 0755) != 0) return fail_errno("mkdir {}", files);
  const sys::Fd root = TRY(sys::open_at(folder_, files, O_RDONLY | O_DIRECTORY));
  const sys::Fd recipe =
      TRY(sys::open_at(folder_, taken.place + "/note-recipe", O_WRONLY | O_CREAT | O_EXCL, 0600));
  const auto plain = TRY(decompress(std::move(source), limits_));
  DigestSource counted(*plain);
  AheadSource ahead(counted, aside_);
  Recorder recorder(ahead, recipe);
  ApplyOptions options = layer_options();
  options.limits = limits_;
  const ApplyStats stats = TRY(apply(recorder, root, options, &recorder));
  TRY(recorder.finish());
  TRY(ahead.finish());
  taken.digest = TRY(counted.finish()).to_string();
  taken.bytes = stats.bytes;
  taken.tar_bytes = counted.bytes();
  return {};
}

}  // namespace

void describe(json::Fields& f, EntryProgress& progress) {
  f("name", progress.name);
  f("current", progress.current);
  f("total", progress.total);
}

void describe(json::Fields& f, ImageArchiveEntry& entry) {
  f("name", entry.name);
  int kind = static_cast<int>(entry.kind);
  f("kind", kind);
  if (kind < 0 || kind > static_cast<int>(ImageArchiveEntry::Kind::Link)) kind = 0;
  entry.kind = static_cast<ImageArchiveEntry::Kind>(kind);
  f("link", entry.link, json::Omit::Empty);
  f("place", entry.place, json::Omit::Empty);
  f("digest", entry.digest, json::Omit::Empty);
  f("bytes", entry.bytes, json::Omit::Empty);
  f("tarBytes", entry.tar_bytes, json::Omit::Empty);
  f("error", entry.error, json::Omit::Empty);
  f("errorKind", entry.error_kind, json::Omit::Empty);
}

Result<std::vector<ImageArchiveEntry>> unpack_images(Source& tar, const sys::Fd& folder,
                                                     const std::set<std::string>& known,
                                                     const spec::LayerLimits& limits, SideThread& aside,
                                                     const OnEntryProgress& progress) {
  return Unpacker(tar, folder, known, limits, aside, progress).run();
}

}  // namespace skiff::archive
