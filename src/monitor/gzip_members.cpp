#include "monitor/gzip_members.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>

#include "base/undo.h"
#include "monitor/little_endian.h"
#include "sys/file.h"

namespace skiff::monitor {
namespace {

constexpr std::size_t kMember = 256 << 10;  ///< what is packed into one, up to the next end of a line
constexpr int kGzipWindow = 15 + 16;        ///< deflateInit2's way to ask for gzip and not zlib

// A member begins with ten bytes of its own, the length of the extra field, and that: a name, a length, the
// size of the whole member and the number of its lines.
constexpr std::size_t kExtraAt = 12;
constexpr std::size_t kSizeAt = kExtraAt + 4;
constexpr std::size_t kLinesAt = kSizeAt + 4;
constexpr std::size_t kHead = kLinesAt + 4;
constexpr std::string_view kMagic = "\x1f\x8b\x08\x04";  // RFC 1952: gzip, deflate, an extra field
constexpr std::string_view kExtraName{"SL\x08\0", 4};

/// Packs what it gets into members.
class Packer {
 public:
  Packer() = default;
  ~Packer() { ::deflateEnd(&stream_); }
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;

  bool begin() {
    return ::deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) ==
           Z_OK;
  }

  /// `bytes` as a member, valid until the next call; "" when there is no memory.
  std::string_view pack(std::string_view bytes) {
    char extra[kHead - kExtraAt] = {};
    std::copy(kExtraName.begin(), kExtraName.end(), extra);
    put_little(extra + kLinesAt - kExtraAt,
               static_cast<std::uint32_t>(std::count(bytes.begin(), bytes.end(), '\n')));
    gz_header header = {};
    header.os = 255;  // unknown
    header.extra = reinterpret_cast<Bytef*>(extra);
    header.extra_len = sizeof extra;
    if (::deflateReset(&stream_) != Z_OK || ::deflateSetHeader(&stream_, &header) != Z_OK) return {};
    packed_.resize(::deflateBound(&stream_, bytes.size()));
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    stream_.next_out = reinterpret_cast<Bytef*>(packed_.data());
    stream_.avail_out = static_cast<uInt>(packed_.size());
    if (::deflate(&stream_, Z_FINISH) != Z_STREAM_END) return {};
    put_little(packed_.data() + kSizeAt, static_cast<std::uint32_t>(stream_.total_out));
    return std::string_view(packed_).substr(0, stream_.total_out);
  }

 private:
  z_stream stream_ = {};
  std::string packed_;
};

Result<void> pack_file(const std::string& path, const sys::Fd& target) {
  const sys::Fd source = TRY(sys::open_file(path, O_RDONLY));
  Packer packer;
  const auto pack = [&](std::string_view bytes) -> Result<void> {
    const std::string_view member = packer.pack(bytes);
    if (member.empty()) return fail(Kind::Exhausted, "compress {}: no memory", path);
    return sys::write_all(target, member);
  };
  if (!packer.begin()) return fail(Kind::Exhausted, "compress {}: no memory", path);
  std::string bytes;
  while (true) {
    const std::size_t old = bytes.size();
    bytes.resize(old + kMember);
    const std::size_t count = TRY(sys::read_some(source, bytes.data() + old, kMember));
    bytes.resize(old + count);
    if (count == 0) break;
    const auto end = bytes.rfind('\n');
    if (end == std::string::npos || bytes.size() < kMember) continue;
    TRY(pack(std::string_view(bytes).substr(0, end + 1)));
    bytes.erase(0, end + 1);
  }
  // Of an empty file, too: nothing at all is no gzip.
  TRY(pack(bytes));
  if (::fdatasync(target.get()) != 0) return fail_errno("sync {}", path);
  return success();
}

}  // namespace

Result<void> gzip_file(const std::string& path) {
  const std::string temporary = path + ".gz.tmp";
  UndoStack undo;
  const sys::Fd target = TRY(sys::open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0640));
  undo.add([&] { ::unlink(temporary.c_str()); });
  TRY(pack_file(path, target));
  if (::rename(temporary.c_str(), (path + ".gz").c_str()) != 0) return fail_errno("rename {}", temporary);
  undo.dismiss();
  ::unlink(path.c_str());
  return success();
}

Result<std::vector<GzipMember>> gzip_members(const sys::Fd& file) {
  std::vector<GzipMember> members;
  std::uint64_t offset = 0;
  while (true) {
    char head[kHead];
    const ssize_t count = ::pread(file.get(), head, sizeof head, static_cast<off_t>(offset));
    if (count < 0) return fail_errno("read log");
    if (count == 0) return members;
    const std::string_view text(head, static_cast<std::size_t>(count));
    // Somebody else's, or cut off: it is read as one.
    if (!text.starts_with(kMagic) ||
        text.substr(std::min(kExtraAt, text.size())).substr(0, 4) != kExtraName || text.size() < kHead)
      return std::vector<GzipMember>();
    members.push_back({.offset = offset, .lines = get_little<std::uint32_t>(head + kLinesAt)});
    offset += std::max<std::uint32_t>(get_little<std::uint32_t>(head + kSizeAt), kHead);
  }
}

}  // namespace skiff::monitor
