#include "archive/contents.h"

#include <sys/stat.h>
#include <zstd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "archive/estargz.h"
#include "base/base64.h"
#include "base/json.h"
#include "base/strings.h"
#include "spec/digest.h"

namespace skiff::archive {
namespace {

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kMeta = ".wh..wh.";
constexpr std::string_view kOpaqueName = ".wh..wh..opq";
constexpr const char* kOpaque = "trusted.overlay.opaque";
constexpr std::size_t kLongestName = 255;
constexpr std::size_t kLongestPath = 4095;
constexpr std::size_t kLargestXattr = 64 << 10;
constexpr mode_t kImplied = S_IFDIR | 0755;
/// Of all files together. No table has room for so many with digests, but one line makes any number of holes.
constexpr std::uint64_t kMostPieces = 1 << 20;

/// One entry of the table.
struct Entry {
  std::string type;
  std::string name;
  std::string link;
  std::int64_t mode = 0;
  std::int64_t size = 0;
  std::int64_t uid = 0;
  std::int64_t gid = 0;
  std::optional<Time> modified;
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::map<std::string, std::string> xattrs;
  std::string digest;
  std::int64_t offset = 0;
  std::int64_t end = 0;
  std::int64_t before = 0;
  std::int64_t chunk_size = 0;
  std::int64_t chunk_offset = 0;
  std::string chunk_digest;
  std::string chunk_type;
};

void describe(json::Fields& f, Entry& entry) {
  f("type", entry.type);
  f("name", entry.name);
  f("linkName", entry.link);
  f("mode", entry.mode);
  f("size", entry.size);
  f("uid", entry.uid);
  f("gid", entry.gid);
  f("modtime", entry.modified);
  f("devMajor", entry.major);
  f("devMinor", entry.minor);
  f("xattrs", entry.xattrs);
  f("digest", entry.digest);
  f("offset", entry.offset);
  f("endOffset", entry.end);
  f("innerOffset", entry.before);
  f("chunkSize", entry.chunk_size);
  f("chunkOffset", entry.chunk_offset);
  f("chunkDigest", entry.chunk_digest);
  f("chunkType", entry.chunk_type);
}

struct Table {
  int version = 0;
  std::vector<Entry> entries;
};

void describe(json::Fields& f, Table& table) {
  f("version", table.version);
  f("entries", table.entries);
}

/// "./usr//bin/" -> {"usr", "bin"}.
Result<std::vector<std::string>> path_of(const std::string& name) {
  if (name.size() > kLongestPath || name.find('\0') != std::string::npos)
    return fail(Kind::InvalidArgument, "the name {} is no path", quote(name.substr(0, kLongestName)));
  std::vector<std::string> parts;
  for (auto& part : split(name, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == ".." || part.size() > kLongestName)
      return fail(Kind::InvalidArgument, "the name {} is no path", quote(name));
    parts.push_back(std::move(part));
  }
  return parts;
}

template <typename To>
Result<To> narrow(std::int64_t value, std::string_view what, const Entry& entry) {
  if (value < 0 || static_cast<std::uint64_t>(value) > std::numeric_limits<To>::max())
    return fail(Kind::InvalidArgument, "the {} of {} is {}", what, quote(entry.name), value);
  return static_cast<To>(value);
}

Result<std::array<unsigned char, 32>> raw_sha256(const std::string& text, const Entry& entry) {
  const auto digest = spec::Digest::parse(text);
  if (!digest || digest->algorithm() != "sha256")
    return fail(Kind::Unsupported, "{} has a piece without a SHA-256", quote(entry.name));
  std::array<unsigned char, 32> raw{};
  const auto value = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  for (std::size_t i = 0; i < raw.size(); ++i)
    raw[i] = static_cast<unsigned char>(value(digest->hex()[2 * i]) << 4 | value(digest->hex()[2 * i + 1]));
  return raw;
}

Result<mode_t> type_of(const Entry& entry) {
  static const std::map<std::string_view, mode_t> kTypes = {{"reg", S_IFREG},     {"dir", S_IFDIR},
                                                            {"symlink", S_IFLNK}, {"char", S_IFCHR},
                                                            {"block", S_IFBLK},   {"fifo", S_IFIFO}};
  const auto found = kTypes.find(entry.type);
  if (found == kTypes.end())
    return fail(Kind::Unsupported, "{} is of the type {}", quote(entry.name), quote(entry.type));
  return found->second;
}

class Builder {
 public:
  Builder(std::uint64_t blob_size, const spec::LayerLimits& limits) : blob_size_(blob_size), limits_(limits) {
    nodes_.emplace_back().node.mode = kImplied;
    nodes_.back().node.links = 2;
  }

  Result<void> add(const Entry& entry) {
    if (entry.type == "chunk") return add_chunk(entry);
    TRY(end_file());
    const auto path = TRY(path_of(entry.name));
    if (path.empty()) return {};  // the root is the caller's
    std::uint32_t folder = 0;
    for (std::size_t i = 0; i + 1 < path.size(); ++i) folder = TRY(step(folder, path[i], entry));
    return place(folder, path.back(), entry);
  }

  Result<LayerIndex> finish() {
    TRY(end_file());
    LayerIndex index;
    index.bytes = bytes_;
    for (auto& [node, names] : nodes_) {
      node.children.assign(names.begin(), names.end());
      std::sort(node.xattrs.begin(), node.xattrs.end());
      index.nodes.push_back(std::move(node));
    }
    return index;
  }

 private:
  struct Building {
    IndexNode node;
    std::map<std::string, std::uint32_t> names;
  };

  /// Into a directory, which may have no entry of its own.
  Result<std::uint32_t> step(std::uint32_t folder, const std::string& name, const Entry& entry) {
    if (const auto found = nodes_[folder].names.find(name); found != nodes_[folder].names.end()) {
      if (S_ISDIR(nodes_[found->second].node.mode)) return found->second;
      return fail(Kind::Unsupported, "the path {} leads through {}", quote(entry.name), quote(name));
    }
    return insert(folder, name, kImplied);
  }

  /// Of every name, also of directories that only a path tells of: a long one makes thousands.
  Result<void> count() {
    if (limits_.entries == 0 || ++entries_ <= limits_.entries) return {};
    return fail(Kind::Exhausted, "the layer has more than {} entries", limits_.entries);
  }

  Result<std::uint32_t> insert(std::uint32_t folder, const std::string& name, mode_t mode) {
    TRY(count());
    const auto number = static_cast<std::uint32_t>(nodes_.size());
    nodes_.emplace_back().node.mode = mode;
    nodes_.back().node.parent = folder;
    nodes_[folder].names.emplace(name, number);
    if (S_ISDIR(mode)) {
      nodes_.back().node.links = 2;
      ++nodes_[folder].node.links;
    }
    return number;
  }

  Result<void> place(std::uint32_t folder, const std::string& name, const Entry& entry) {
    if (name == kOpaqueName) {
      auto& xattrs = nodes_[folder].node.xattrs;
      const std::pair<std::string, std::string> opaque(kOpaque, "y");
      if (std::find(xattrs.begin(), xattrs.end(), opaque) == xattrs.end()) xattrs.push_back(opaque);
      return {};
    }
    if (name.starts_with(kMeta)) return fail(Kind::Unsupported, "{} is of aufs", quote(entry.name));
    auto& names = nodes_[folder].names;
    if (name.starts_with(kWhiteout)) {
      const std::string gone = name.substr(kWhiteout.size());
      if (gone.empty() || gone == "." || gone == "..")
        return fail(Kind::InvalidArgument, "{} removes nothing", quote(entry.name));
      if (names.contains(gone)) return twice(entry);
      TRY(insert(folder, gone, S_IFCHR));
      return {};
    }
    const auto known = names.find(name);
    if (entry.type == "hardlink") return known == names.end() ? link(folder, name, entry) : twice(entry);
    const mode_t type = TRY(type_of(entry));
    if (known != names.end() && (!S_ISDIR(type) || !S_ISDIR(nodes_[known->second].node.mode)))
      return twice(entry);
    const auto number = known != names.end() ? known->second : TRY(insert(folder, name, type));
    IndexNode& node = nodes_[number].node;
    TRY(set_attributes(node, type, entry));
    if (S_ISLNK(type)) {
      if (entry.link.empty() || entry.link.size() > kLongestPath ||
          entry.link.find('\0') != std::string::npos)
        return fail(Kind::InvalidArgument, "the link {} leads nowhere", quote(entry.name));
      node.target = entry.link;
    }
    if (!S_ISREG(type)) return {};
    node.size = TRY(narrow<std::uint64_t>(entry.size, "size", entry));
    bytes_ += node.size;
    if (bytes_ < node.size || (limits_.bytes > 0 && bytes_ > limits_.bytes))
      return fail(Kind::Exhausted, "the layer has more than {} bytes", limits_.bytes);
    file_ = number;
    file_name_ = entry.name;
    packed_.reset();
    return node.size > 0 ? add_piece(entry) : success();
  }

  static Error twice(const Entry& entry) {
    return fail(Kind::Unsupported, "{} comes twice", quote(entry.name));
  }

  Result<void> link(std::uint32_t folder, const std::string& name, const Entry& entry) {
    std::uint32_t at = 0;
    for (const auto& part : TRY(path_of(entry.link))) {
      const auto& names = nodes_[at].names;
      const auto found = names.find(part);
      if (found == names.end())
        return fail(Kind::Unsupported, "{} is a link to {}, which did not come", quote(entry.name),
                    quote(entry.link));
      at = found->second;
    }
    IndexNode& node = nodes_[at].node;
    if (S_ISDIR(node.mode) || (S_ISCHR(node.mode) && node.major == 0 && node.minor == 0))
      return fail(Kind::InvalidArgument, "{} is a link to {}", quote(entry.name), quote(entry.link));
    TRY(count());
    ++node.links;
    TRY(set_attributes(node, node.mode & S_IFMT, entry));
    nodes_[folder].names.emplace(name, at);
    return {};
  }

  static Result<void> set_attributes(IndexNode& node, mode_t type, const Entry& entry) {
    node.mode = type | (static_cast<mode_t>(entry.mode) & 07777);
    node.uid = TRY(narrow<std::uint32_t>(entry.uid, "user id", entry));
    node.gid = TRY(narrow<std::uint32_t>(entry.gid, "group id", entry));
    if (entry.modified) {
      const auto time = entry.modified->time_since_epoch();
      const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
      node.seconds = seconds.count();
      node.nanoseconds = static_cast<std::uint32_t>((time - seconds).count());
    }
    if (type == S_IFCHR || type == S_IFBLK) {
      node.major = TRY(narrow<std::uint32_t>(entry.major, "device", entry));
      node.minor = TRY(narrow<std::uint32_t>(entry.minor, "device", entry));
      // It would hide what lies below.
      if (type == S_IFCHR && node.major == 0 && node.minor == 0)
        return fail(Kind::Unsupported, "{} looks like a whiteout", quote(entry.name));
    }
    for (const auto& [name, text] : entry.xattrs) {
      if (name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.")) continue;
      auto value = decode_base64(text);
      if (!value || value->size() > kLargestXattr || name.empty() || name.size() > kLongestName ||
          name.find('\0') != std::string::npos)
        return fail(Kind::InvalidArgument, "the extended attribute {} of {} is none", quote(name),
                    quote(entry.name));
      const auto known = std::find_if(node.xattrs.begin(), node.xattrs.end(),
                                      [&wanted = name](const auto& one) { return one.first == wanted; });
      if (known != node.xattrs.end())
        known->second = *std::move(value);
      else
        node.xattrs.emplace_back(name, *std::move(value));
    }
    return {};
  }

  Result<void> add_chunk(const Entry& entry) {
    if (!file_ || entry.name != file_name_)
      return fail(Kind::InvalidArgument, "a piece of {} does not follow it", quote(entry.name));
    return add_piece(entry);
  }

  /// One that tells no size is all that is left of the file.
  Result<void> add_piece(const Entry& entry) {
    IndexNode& node = nodes_[*file_].node;
    const std::uint64_t here = node.chunks.empty() ? 0 : node.chunks.back().offset + node.chunks.back().size;
    Chunk chunk;
    chunk.offset = TRY(narrow<std::uint64_t>(entry.chunk_offset, "place", entry));
    chunk.size = TRY(narrow<std::uint64_t>(entry.chunk_size, "size", entry));
    if (chunk.offset != here || here >= node.size || chunk.size > node.size - here)
      return fail(Kind::InvalidArgument, "the pieces of {} are not in order", quote(entry.name));
    if (chunk.size == 0) chunk.size = node.size - here;
    pieces_ += (chunk.size - 1) / kLargestChunk + 1;
    if (pieces_ > kMostPieces)
      return fail(Kind::Unsupported, "the layer's files have more than {} pieces", kMostPieces);
    if (entry.chunk_type == "zeros") {
      // Holes of any size: cut, so that no reader has to hold them whole.
      for (std::uint64_t left = chunk.size; left > 0;) {
        const auto part = std::min(left, kLargestChunk);
        node.chunks.push_back({chunk.offset + chunk.size - left, part, 0, 0, {}});
        left -= part;
      }
      return {};
    }
    if (!entry.chunk_type.empty())
      return fail(Kind::Unsupported, "{} has pieces of the kind {}", quote(entry.name),
                  quote(entry.chunk_type));
    if (chunk.size > kLargestChunk)
      return fail(Kind::Unsupported, "{} has a piece of {} bytes", quote(entry.name), chunk.size);
    const bool whole = chunk.size == node.size;
    chunk.sha256 =
        TRY(raw_sha256(entry.chunk_digest.empty() && whole ? entry.digest : entry.chunk_digest, entry));
    chunk.before = TRY(narrow<std::uint64_t>(entry.before, "place", entry));
    if (chunk.before > kLargestChunk)
      return fail(Kind::Unsupported, "{} has a piece behind {} bytes", quote(entry.name), chunk.before);
    chunk.blob_offset = TRY(narrow<std::uint64_t>(entry.offset, "place", entry));
    const auto end = TRY(narrow<std::uint64_t>(entry.end, "place", entry));
    if (end <= chunk.blob_offset || end > blob_size_)
      return fail(Kind::InvalidArgument, "a piece of {} lies beyond the layer", quote(entry.name));
    chunk.blob_size = end - chunk.blob_offset;
    // Where an entry tells the end of the whole file, the next piece tells that of this one.
    if (packed_) {
      Chunk& before = node.chunks[*packed_];
      if (before.blob_offset < chunk.blob_offset)
        before.blob_size = std::min(before.blob_size, chunk.blob_offset - before.blob_offset);
    }
    packed_ = node.chunks.size();
    node.chunks.push_back(chunk);
    return {};
  }

  Result<void> end_file() {
    if (!file_) return {};
    const IndexNode& node = nodes_[*file_].node;
    file_.reset();
    const std::uint64_t end = node.chunks.empty() ? 0 : node.chunks.back().offset + node.chunks.back().size;
    if (end != node.size)
      return fail(Kind::InvalidArgument, "the pieces of {} are not its size", quote(file_name_));
    for (const auto& chunk : node.chunks)
      if (chunk.blob_size > most_packed(chunk.before + chunk.size))
        return fail(Kind::Unsupported, "{} bytes of {} take {} of the layer", chunk.size, quote(file_name_),
                    chunk.blob_size);
    return {};
  }

  const std::uint64_t blob_size_;
  const spec::LayerLimits limits_;
  std::vector<Building> nodes_;
  std::optional<std::uint32_t> file_;  ///< whose pieces may follow
  std::string file_name_;
  std::optional<std::size_t> packed_;  ///< its last piece that is not zeros
  std::uint64_t entries_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t pieces_ = 0;
};

Result<std::string> unpack(std::string_view bytes) {
  if (bytes.starts_with('{')) return std::string(bytes);
  std::string text;
  const auto claimed = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (claimed == ZSTD_CONTENTSIZE_ERROR)
    return Error(Kind::InvalidArgument, "the layer's table of contents is neither JSON nor zstd");
  std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  std::string piece(ZSTD_DStreamOutSize(), '\0');
  for (std::size_t left = 1; left != 0;) {
    ZSTD_outBuffer out{piece.data(), piece.size(), 0};
    left = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(left) || (left != 0 && out.pos == 0 && in.pos == in.size))
      return Error(Kind::InvalidArgument, "the layer's table of contents is damaged");
    text.append(piece, 0, out.pos);
    if (text.size() > kLargestContents)
      return fail(Kind::Exhausted, "the layer's table of contents has more than {} bytes", kLargestContents);
  }
  return text;
}

/// Entries of eStargz do not tell where a piece ends: at the latest where another begins, or the table. What
/// lies between may be the headers of thousands of links, which are nobody's bytes.
void find_ends(std::vector<Entry>& entries, std::uint64_t table) {
  std::set<std::int64_t> begins = {static_cast<std::int64_t>(table)};
  for (const auto& entry : entries)
    if (entry.offset > 0) begins.insert(entry.offset);
  std::int64_t left = 0;  // of the file
  for (auto& entry : entries) {
    if (entry.type != "chunk") left = entry.size;
    const std::int64_t size = entry.chunk_size > 0 ? entry.chunk_size : left;
    left -= std::min(left, size);
    const auto next = begins.upper_bound(entry.offset);
    if (next == begins.end() || entry.offset < 0 || size < 0 || entry.before < 0)
      continue;  // refused for its place
    const std::uint64_t most =
        most_packed(static_cast<std::uint64_t>(entry.before) + static_cast<std::uint64_t>(size));
    entry.end = *next;
    if (static_cast<std::uint64_t>(*next - entry.offset) > most)
      entry.end = entry.offset + static_cast<std::int64_t>(most);
  }
}

/// The table itself, as a writer of eStargz puts it into the layer's tar.
Entry table_entry(std::string_view bytes, std::uint64_t at, std::uint64_t blob_size) {
  constexpr std::int64_t kTarHeader = 512;
  Entry entry;
  entry.type = "reg";
  entry.name = kEstargzContents;
  entry.size = static_cast<std::int64_t>(bytes.size());
  entry.modified = Time();
  entry.digest = spec::Digest::of(bytes).to_string();
  entry.offset = static_cast<std::int64_t>(at);
  entry.end = static_cast<std::int64_t>(blob_size - kEstargzFooter);
  entry.before = kTarHeader;
  return entry;
}

}  // namespace

Result<LayerIndex> parse_contents(std::string_view bytes, const ContentsOf& blob,
                                  const spec::LayerLimits& limits) {
  if (bytes.size() > kLargestContents)
    return fail(Kind::Exhausted, "the layer's table of contents has more than {} bytes", kLargestContents);
  auto table = TRY_CONTEXT(json::decode<Table>(TRY(unpack(bytes))), "the layer's table of contents");
  if (table.version < 1 || table.version > 2)
    return fail(Kind::Unsupported, "the layer's table of contents has the version {}", table.version);
  if (blob.estargz) {
    if (blob.size < kEstargzFooter || *blob.estargz >= blob.size - kEstargzFooter)
      return Error(Kind::InvalidArgument, "the layer's table of contents lies beyond it");
    find_ends(table.entries, *blob.estargz);
    table.entries.push_back(table_entry(bytes, *blob.estargz, blob.size));
  }
  Builder builder(blob.size, limits);
  for (const auto& entry : table.entries) TRY(builder.add(entry));
  return builder.finish();
}

}  // namespace skiff::archive
