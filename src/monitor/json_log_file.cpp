#include "monitor/json_log_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "sys/file.h"
#include "sys/path.h"

namespace skiff::monitor {
namespace {

constexpr std::size_t kProbeSize = 16 << 10;

/// The time at the end of a record's line, without parsing the rest.
std::optional<Time> time_of(std::string_view line) {
  constexpr std::string_view kName = "\"time\":\"";
  const auto begin = line.rfind(kName);
  if (begin == std::string_view::npos) return std::nullopt;
  line.remove_prefix(begin + kName.size());
  return parse_rfc3339(line.substr(0, line.find('"')));
}

}  // namespace

Result<std::unique_ptr<JsonLogFile>> JsonLogFile::open(const std::string& path, bool compressed) {
  auto opened = sys::open_file(path, O_RDONLY);
  if (opened) return std::unique_ptr<JsonLogFile>(new JsonLogFile(*std::move(opened), compressed));
  if (opened.error().kind() == Kind::NotFound) return std::unique_ptr<JsonLogFile>();
  return std::move(opened).error();
}

JsonLogFile::~JsonLogFile() { seek(0); }

/// Closes the unpacking: the next read() begins it anew.
void JsonLogFile::seek(std::uint64_t offset) {
  if (unpacked_) ::gzclose(std::exchange(unpacked_, nullptr));
  offset_ = offset;
}

Result<void> JsonLogFile::end_here() {
  limit_ = TRY(size());
  return success();
}

Result<std::uint64_t> JsonLogFile::size() const {
  return std::min(static_cast<std::uint64_t>(TRY(status()).st_size), limit_);
}

Result<struct stat> JsonLogFile::status() const {
  struct stat found {};
  if (::fstat(fd_.get(), &found) != 0) return fail_errno("stat log");
  return found;
}

bool JsonLogFile::same_as(const struct stat& other) const {
  const auto ours = status();
  return ours && ours->st_ino == other.st_ino && ours->st_dev == other.st_dev;
}

Result<bool> JsonLogFile::was_emptied() const {
  return static_cast<std::uint64_t>(TRY(status()).st_size) < offset_;
}

Result<void> JsonLogFile::open_gzip() {
  sys::Fd own = TRY(sys::open_file(sys::fd_path(fd_), O_RDONLY));  // with a position of its own
  if (::lseek(own.get(), static_cast<off_t>(offset_), SEEK_SET) < 0) return fail_errno("read log");
  unpacked_ = ::gzdopen(own.get(), "rb");
  if (!unpacked_) return fail(Kind::Exhausted, "read log: no memory");
  (void)own.release();  // gzclose closes it
  return success();
}

Result<bool> JsonLogFile::read(std::string& out, std::size_t most) {
  if (compressed_ && !unpacked_) TRY(open_gzip());
  const std::size_t old = out.size();
  const std::uint64_t left = compressed_ ? most : limit_ - std::min(limit_, offset_);
  const auto size = static_cast<unsigned>(std::min<std::uint64_t>(most, left));
  out.resize(old + size);
  ssize_t count = 0;
  if (compressed_) {
    count = std::max(::gzread(unpacked_, out.data() + old, size), 0);  // a damaged rest is not there
  } else {
    do count = ::pread(fd_.get(), out.data() + old, size, static_cast<off_t>(offset_));
    while (count < 0 && errno == EINTR);
  }
  const int code = errno;
  out.resize(old + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  if (count < 0) return Error::from_errno("read log", code);
  if (!compressed_) offset_ += static_cast<std::uint64_t>(count);
  return count > 0;
}

/// The whole line that begins at or after `offset`, and in that where it begins; "" at the end. Of a
/// compressed file `offset` is a member's, with which a line begins.
Result<std::string> JsonLogFile::line_after(std::uint64_t& offset) const {
  JsonLogFile probe(TRY(sys::duplicate(fd_)), compressed_);
  probe.limit_ = limit_;
  // The byte before tells whether a line begins right here.
  const bool at_begin = compressed_ || offset == 0;
  const std::uint64_t at = at_begin ? offset : offset - 1;
  std::size_t begin = at_begin ? 0 : std::string::npos;
  probe.seek(at);
  std::string text;
  while (true) {
    if (begin == std::string::npos) {
      if (const auto newline = text.find('\n'); newline != std::string::npos) begin = newline + 1;
    }
    if (const auto end = begin == std::string::npos ? begin : text.find('\n', begin);
        end != std::string::npos) {
      offset = at + begin;
      return text.substr(begin, end - begin);
    }
    if (!TRY(probe.read(text, kProbeSize))) return std::string();
  }
}

Result<std::optional<Time>> JsonLogFile::time_after(std::uint64_t& offset) const {
  return time_of(TRY(line_after(offset)));
}

Result<std::optional<Time>> JsonLogFile::first_time() const {
  std::uint64_t begin = 0;
  return time_after(begin);
}

Result<void> JsonLogFile::seek_since(Time since) {
  return compressed_ ? seek_since_compressed(since) : seek_since_plain(since);
}

Result<void> JsonLogFile::seek_since_plain(Time since) {
  std::uint64_t low = 0;
  auto high = TRY(size());
  while (high - low > kReadSize) {
    std::uint64_t middle = low + (high - low) / 2;
    const std::uint64_t probe = middle;
    const auto time = TRY(time_after(middle));
    if (time && *time < since && middle < high)
      low = middle;
    else
      high = probe;
  }
  seek(low);
  return success();
}

/// To the last member that begins before.
Result<void> JsonLogFile::seek_since_compressed(Time since) {
  const auto members = TRY(gzip_members(fd_));
  std::size_t low = 0;
  std::size_t high = members.size();
  while (low + 1 < high) {
    const std::size_t middle = low + (high - low) / 2;
    std::uint64_t offset = members[middle].offset;
    const auto time = TRY(time_after(offset));
    if (time && *time < since)
      low = middle;
    else
      high = middle;
  }
  seek(members.empty() ? 0 : members[low].offset);
  return success();
}

Result<std::uint64_t> JsonLogFile::seek_tail(std::uint64_t lines, std::uint64_t& skip) {
  return compressed_ ? seek_tail_compressed(lines, skip) : seek_tail_plain(lines);
}

Result<std::uint64_t> JsonLogFile::seek_tail_plain(std::uint64_t lines) {
  std::uint64_t seen = 0;
  std::string chunk;
  for (auto end = TRY(size()); end > 0;) {
    const std::uint64_t begin = end > kReadSize ? end - kReadSize : 0;
    seek(begin);
    chunk.clear();
    TRY(read(chunk));
    chunk.resize(std::min<std::size_t>(chunk.size(), end - begin));
    for (std::size_t at = chunk.size(); at > 0;) {
      at = chunk.rfind('\n', at - 1);
      if (at == std::string::npos) break;
      if (++seen <= lines) continue;
      seek(begin + at + 1);
      return std::uint64_t{0};
    }
    end = begin;
  }
  seek_start();
  return lines - seen;
}

/// One that somebody else has compressed is counted from its beginning.
Result<std::uint64_t> JsonLogFile::seek_tail_compressed(std::uint64_t lines, std::uint64_t& skip) {
  auto members = TRY(gzip_members(fd_));
  if (members.empty()) {
    auto& whole = members.emplace_back();
    for (std::string chunk; TRY(read(chunk)); chunk.clear())
      whole.lines += static_cast<std::uint64_t>(std::count(chunk.begin(), chunk.end(), '\n'));
  }
  std::uint64_t seen = 0;
  for (auto member = members.rbegin(); member != members.rend(); ++member) {
    seen += member->lines;
    if (seen < lines) continue;
    seek(member->offset);
    skip = seen - lines;
    return std::uint64_t{0};
  }
  seek_start();
  return lines - seen;
}

}  // namespace skiff::monitor
