#include "monitor/log_segment.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>

#include "monitor/little_endian.h"
#include "sys/file.h"

/// A compressed segment: kCompressedMagic, each block by itself in zlib's format (RFC 1950), the index, its
/// place. The index has, for each block and once more for the end, the offset and the first moment (for the
/// end: the last one); behind it stand its length in entries and its offset, and kCompressedMagic again.
namespace skiff::monitor {
namespace {

constexpr std::string_view kCompressedMagic = "SKIFLOGZ";
constexpr std::size_t kEntry = 16;
constexpr std::size_t kFooter = 16 + kCompressedMagic.size();
/// Most of the gain for a fraction of the work.
constexpr int kLevel = 1;

Result<std::uint64_t> file_size(const sys::Fd& file) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return fail_errno("stat log");
  return static_cast<std::uint64_t>(status.st_size);
}

/// Fewer bytes only at the end of the file.
Result<std::string> read_at(const sys::Fd& file, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t have = 0;
  while (have < size) {
    const ssize_t count =
        ::pread(file.get(), bytes.data() + have, size - have, static_cast<off_t>(offset + have));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("read log");
    if (count == 0) break;
    have += static_cast<std::size_t>(count);
  }
  bytes.resize(have);
  return bytes;
}

Time to_time(std::uint64_t nanoseconds) {
  return Time(std::chrono::nanoseconds(static_cast<std::int64_t>(nanoseconds)));
}

void append_entry(std::string& out, std::uint64_t offset, Time time) {
  char entry[kEntry];
  put_little(entry, offset);
  put_little(entry + 8, static_cast<std::uint64_t>(time.time_since_epoch().count()));
  out.append(entry, sizeof(entry));
}

std::optional<Time> last_time_of(std::string_view block, std::uint64_t index) {
  std::optional<Time> last;
  std::size_t offset = std::min(block_start(index), block.size());
  while (true) {
    const ParsedPiece parsed = parse_piece(block.substr(offset));
    if (parsed.state != Parse::Complete) return last;
    last = parsed.piece.time;
    offset += parsed.size;
  }
}

Result<void> write_compressed(const LogSegment& segment, const std::string& path) {
  const sys::Fd file = TRY(sys::open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0600));
  TRY(sys::write_all(file, kCompressedMagic));
  std::string index;
  std::uint64_t offset = kCompressedMagic.size();
  Time time{};
  const std::uint64_t count = TRY(segment.blocks());
  std::string packed;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string block;
    TRY(segment.read(i, block));
    block.resize(valid_length(block, i));
    time = TRY(segment.first_time(i)).value_or(time);
    append_entry(index, offset, time);
    time = last_time_of(block, i).value_or(time);
    packed.resize(::compressBound(block.size()));
    uLongf length = packed.size();
    if (::compress2(reinterpret_cast<Bytef*>(packed.data()), &length,
                    reinterpret_cast<const Bytef*>(block.data()), block.size(), kLevel) != Z_OK) {
      return fail(Kind::Exhausted, "compress {}: no memory", path);
    }
    packed.resize(length);
    TRY(sys::write_all(file, packed));
    offset += length;
  }
  append_entry(index, offset, time);
  char footer[16];
  put_little(footer, std::uint64_t{count + 1});
  put_little(footer + 8, offset);
  TRY(sys::write_all(file, index.append(footer, sizeof(footer)).append(kCompressedMagic)));
  if (::fdatasync(file.get()) != 0) return fail_errno("sync {}", path);
  return success();
}

}  // namespace

Result<std::vector<std::uint64_t>> list_segments(const std::string& directory) {
  std::vector<std::uint64_t> numbers;
  auto names = sys::list_directory(directory);
  if (!names) {
    if (names.error().kind() == Kind::NotFound) return numbers;
    return std::move(names).error();
  }
  for (const std::string& name : *names) {
    if (const auto number = parse_segment_name(name)) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());  // both forms for a moment
  return numbers;
}

Result<std::optional<LogSegment>> LogSegment::open(const std::string& directory, std::uint64_t number) {
  LogSegment segment;
  for (const bool compressed : {false, true}) {
    auto file = sys::open_file(
        directory + "/" + (compressed ? compressed_name(number) : segment_name(number)), O_RDONLY);
    if (!file) {
      if (file.error().kind() == Kind::NotFound) continue;
      return std::move(file).error();
    }
    segment.file_ = *std::move(file);
    segment.compressed_ = compressed;
    if (compressed && !TRY(segment.load_index())) segment.index_.assign(1, {});
    return std::optional(std::move(segment));
  }
  return std::optional<LogSegment>();
}

Result<bool> LogSegment::load_index() {
  const std::uint64_t size = TRY(file_size(file_));
  if (size < kCompressedMagic.size() + kFooter) return false;
  const std::string footer = TRY(read_at(file_, size - kFooter, kFooter));
  if (!footer.ends_with(kCompressedMagic)) return false;
  const auto entries = get_little<std::uint64_t>(footer.data());
  const auto offset = get_little<std::uint64_t>(footer.data() + 8);
  if (entries == 0 || entries > size / kEntry || offset + entries * kEntry + kFooter != size) return false;
  const std::string index = TRY(read_at(file_, offset, entries * kEntry));
  if (index.size() != entries * kEntry) return false;
  for (std::size_t i = 0; i < entries; ++i) {
    const char* entry = index.data() + i * kEntry;
    index_.push_back({get_little<std::uint64_t>(entry), to_time(get_little<std::uint64_t>(entry + 8))});
  }
  return true;
}

Result<std::uint64_t> LogSegment::end() const {
  if (compressed_) return (index_.size() - 1) * kBlock;
  return file_size(file_);
}

Result<std::uint64_t> LogSegment::blocks() const { return (TRY(end()) + kBlock - 1) / kBlock; }

Result<void> LogSegment::read(std::uint64_t index, std::string& block) const {
  if (!compressed_) {
    const std::uint64_t offset = index * kBlock + block.size();
    const std::uint64_t size = TRY(file_size(file_));
    if (size <= offset || block.size() >= kBlock) return success();
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(size - offset, kBlock - block.size()));
    const std::string more = TRY(read_at(file_, offset, wanted));
    block.append(more);
    return success();
  }
  if (!block.empty() || index + 1 >= index_.size()) return success();
  const std::uint64_t begin = index_[index].offset;
  const std::uint64_t end = index_[index + 1].offset;
  if (end <= begin || end - begin > ::compressBound(kBlock)) return success();
  const std::string packed = TRY(read_at(file_, begin, static_cast<std::size_t>(end - begin)));
  block.resize(kBlock);
  uLongf length = kBlock;
  const int done = ::uncompress(reinterpret_cast<Bytef*>(block.data()), &length,
                                reinterpret_cast<const Bytef*>(packed.data()), packed.size());
  block.resize(done == Z_OK ? length : 0);
  return success();
}

Result<std::optional<Time>> LogSegment::first_time(std::uint64_t index) const {
  if (compressed_) {
    return index + 1 < index_.size() ? std::optional(index_[index].time) : std::optional<Time>();
  }
  const std::string header = TRY(read_at(file_, index * kBlock + block_start(index), kPieceHeader));
  return parse_time(header);
}

Result<std::optional<Time>> LogSegment::last_time() const {
  if (compressed_) return index_.size() > 1 ? std::optional(index_.back().time) : std::optional<Time>();
  const std::uint64_t count = TRY(blocks());
  if (count == 0) return std::optional<Time>();
  std::string block;
  TRY(read(count - 1, block));
  return last_time_of(block, count - 1);
}

Result<void> compress_segment(const std::string& directory, std::uint64_t number) {
  const auto segment = TRY(LogSegment::open(directory, number));
  if (!segment) return success();  // rotated away meanwhile
  const std::string target = directory + "/" + compressed_name(number);
  const std::string temporary = target + ".tmp";
  if (auto written = write_compressed(*segment, temporary); !written) {
    ::unlink(temporary.c_str());
    return written;
  }
  if (::rename(temporary.c_str(), target.c_str()) != 0) return fail_errno("rename {}", temporary);
  ::unlink((directory + "/" + segment_name(number)).c_str());
  return success();
}

Result<std::optional<std::uint64_t>> plain_segment_below(const std::string& directory,
                                                         std::uint64_t current) {
  for (const std::uint64_t number : TRY(list_segments(directory))) {
    if (number < current && sys::exists(directory + "/" + segment_name(number))) return std::optional(number);
  }
  return std::optional<std::uint64_t>();
}

}  // namespace skiff::monitor
