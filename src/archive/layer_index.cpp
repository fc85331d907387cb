#include "archive/layer_index.h"

#include <sys/stat.h>
#include <zstd.h>

#include <algorithm>

namespace skiff::archive {
namespace {

constexpr std::string_view kMagic = "skiff-layer-index-2\n";
/// A list that claims more elements than there are bytes left is no list.
constexpr std::uint64_t kLongestText = 1 << 20;
/// For who splits a piece into several frames, or pads it.
constexpr std::uint64_t kPackedSlack = 64 << 10;

class Writer {
 public:
  std::string bytes{kMagic};
  void number(std::uint64_t value) {
    // Seven bits a byte, the lowest first: most numbers are small.
    for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<char>(value | 0x80));
    bytes.push_back(static_cast<char>(value));
  }
  void text(std::string_view value) {
    number(value.size());
    bytes.append(value);
  }
};

Error damaged(std::string_view why) {
  return fail(Kind::DataLoss, "the index of a layer is damaged: {}", why);
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  Result<std::uint64_t> number(std::uint64_t most = UINT64_MAX) {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (bytes_.empty()) return damaged("it ends too early");
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte & 0x80) continue;
      if (value > most) return damaged("a number is too large");
      return value;
    }
    return damaged("a number has no end");
  }
  Result<std::uint32_t> small() { return static_cast<std::uint32_t>(TRY(number(UINT32_MAX))); }
  Result<std::string_view> raw(std::uint64_t size) {
    if (size > bytes_.size()) return damaged("it ends too early");
    const auto taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  Result<std::string> text() { return std::string(TRY(raw(TRY(number(kLongestText))))); }
  /// How many elements follow, each of which takes a byte at least.
  Result<std::size_t> count() { return TRY(number(bytes_.size())); }
  bool at_end() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
};

void write_node(Writer& out, const IndexNode& node) {
  out.number(node.mode);
  out.number(node.uid);
  out.number(node.gid);
  out.number(node.links);
  out.number(static_cast<std::uint64_t>(node.seconds));
  out.number(node.nanoseconds);
  out.number(node.major);
  out.number(node.minor);
  out.number(node.size);
  out.number(node.parent);
  out.text(node.target);
  out.number(node.xattrs.size());
  for (const auto& [name, value] : node.xattrs) {
    out.text(name);
    out.text(value);
  }
  out.number(node.chunks.size());
  for (const auto& chunk : node.chunks) {
    out.number(chunk.size);
    out.number(chunk.blob_offset);
    out.number(chunk.blob_size);
    out.number(chunk.before);
    out.bytes.append(reinterpret_cast<const char*>(chunk.sha256.data()), chunk.sha256.size());
  }
  out.number(node.children.size());
  for (const auto& [name, child] : node.children) {
    out.text(name);
    out.number(child);
  }
}

Result<void> read_chunks(Reader& in, IndexNode& node, std::uint64_t blob_size) {
  std::uint64_t end = 0;
  for (std::size_t left = TRY(in.count()); left > 0; --left) {
    Chunk chunk;
    chunk.offset = end;
    chunk.size = TRY(in.number(kLargestChunk));
    chunk.blob_offset = TRY(in.number(blob_size));
    chunk.blob_size = TRY(in.number(blob_size - chunk.blob_offset));
    chunk.before = TRY(in.number(kLargestChunk));
    const auto digest = TRY(in.raw(chunk.sha256.size()));
    std::copy(digest.begin(), digest.end(), chunk.sha256.begin());
    end += chunk.size;
    if (chunk.size == 0 || end > node.size) return damaged("a file has more pieces than bytes");
    if (chunk.blob_size > most_packed(chunk.before + chunk.size))
      return damaged("a piece is larger packed than unpacked");
    node.chunks.push_back(chunk);
  }
  if (S_ISREG(node.mode) ? end != node.size : !node.chunks.empty())
    return damaged("a file's pieces are not its size");
  return {};
}

Result<IndexNode> read_node(Reader& in, std::uint64_t blob_size) {
  IndexNode node;
  node.mode = TRY(in.small());
  node.uid = TRY(in.small());
  node.gid = TRY(in.small());
  node.links = TRY(in.small());
  node.seconds = static_cast<std::int64_t>(TRY(in.number()));
  node.nanoseconds = TRY(in.small());
  node.major = TRY(in.small());
  node.minor = TRY(in.small());
  node.size = TRY(in.number(INT64_MAX));
  node.parent = TRY(in.small());
  node.target = TRY(in.text());
  for (std::size_t left = TRY(in.count()); left > 0; --left) {
    auto name = TRY(in.text());
    node.xattrs.emplace_back(std::move(name), TRY(in.text()));
  }
  TRY(read_chunks(in, node, blob_size));
  for (std::size_t left = TRY(in.count()); left > 0; --left) {
    auto name = TRY(in.text());
    if (!node.children.empty() && name <= node.children.back().first)
      return damaged("the names in a directory are not in order");
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
      return damaged("a name is none");
    node.children.emplace_back(std::move(name), TRY(in.small()));
  }
  if (!S_ISDIR(node.mode) && !node.children.empty()) return damaged("what is no directory has entries");
  return node;
}

/// Each directory but the root stands in exactly one other, which comes before it.
Result<void> check_tree(const std::vector<IndexNode>& nodes) {
  std::vector<bool> placed(nodes.size());
  for (std::uint32_t at = 0; at < nodes.size(); ++at)
    for (const auto& [name, child] : nodes[at].children) {
      if (child >= nodes.size() || child == 0) return damaged("an entry leads nowhere");
      if (!S_ISDIR(nodes[child].mode)) continue;
      if (placed[child] || child <= at || nodes[child].parent != at)
        return damaged("a directory stands in two places");
      placed[child] = true;
    }
  return {};
}

}  // namespace

std::uint64_t most_packed(std::uint64_t size) { return ZSTD_compressBound(size) + kPackedSlack; }

std::string encode_index(const LayerIndex& index) {
  Writer out;
  out.number(index.bytes);
  out.number(index.nodes.size());
  for (const auto& node : index.nodes) write_node(out, node);
  return std::move(out.bytes);
}

Result<LayerIndex> decode_index(std::string_view bytes, std::uint64_t blob_size) {
  if (!bytes.starts_with(kMagic)) return damaged("it does not begin as one");
  Reader in(bytes.substr(kMagic.size()));
  LayerIndex index;
  index.bytes = TRY(in.number());
  for (std::size_t left = TRY(in.count()); left > 0; --left)
    index.nodes.push_back(TRY(read_node(in, blob_size)));
  if (!in.at_end()) return damaged("something follows its end");
  if (index.nodes.empty() || !S_ISDIR(index.nodes.front().mode)) return damaged("it has no root");
  TRY(check_tree(index.nodes));
  return index;
}

}  // namespace skiff::archive
