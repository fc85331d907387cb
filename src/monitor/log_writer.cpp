#include "monitor/log_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "monitor/log_lines.h"
#include "monitor/log_segment.h"
#include "sys/file.h"

namespace skiff::monitor {
namespace {

/// Pieces from this size on are not copied together with others.
constexpr std::size_t kLarge = 8 << 10;
constexpr std::size_t kPendingLimit = 128 << 10;
/// A clock that is set back by less does not begin a new segment; its lines get the last known moment.
constexpr std::chrono::seconds kClockSlack{1};
/// A segment needs room for its magic, two open lines' beginnings and something new.
constexpr std::uint64_t kSmallestSegment = 128;

/// Where the whole records of an open segment end, and the block that holds the last of them.
struct Whole {
  std::uint64_t size = 0;
  std::uint64_t index = 0;
  std::string block;
  std::string torn;  ///< what there is in the block behind them
};

Result<Whole> whole_part(const LogSegment& segment) {
  Whole whole;
  for (std::uint64_t count = TRY(segment.blocks()); count > 0; --count) {
    whole.index = count - 1;
    whole.block.clear();
    TRY(segment.read(whole.index, whole.block));
    const std::size_t valid = valid_length(whole.block, whole.index);
    whole.torn = whole.block.substr(valid);
    whole.block.resize(valid);
    whole.size = whole.index * kBlock + whole.block.size();
    if (whole.block.size() > block_start(whole.index)) break;
  }
  return whole;
}

}  // namespace

Result<LogWriter> LogWriter::open(std::string directory, Limits limits) {
  LogWriter writer;
  writer.directory_ = std::move(directory);
  writer.limits_ = limits;
  if (limits.max_bytes > 0) writer.limits_.max_bytes = std::max(limits.max_bytes, kSmallestSegment);
  writer.limits_.max_files = std::max(limits.max_files, 1);
  TRY(sys::make_directories(writer.directory_, 0700));
  for (const std::string& name : TRY(sys::list_directory(writer.directory_))) {
    if (name.ends_with(".tmp"))
      ::unlink((writer.directory_ + "/" + name).c_str());  // a compression's, cut short
  }
  const auto numbers = TRY(list_segments(writer.directory_));
  writer.number_ = numbers.empty() ? 0 : numbers.back();
  const bool plain = !numbers.empty() && sys::exists(writer.directory_ + "/" + segment_name(numbers.back()));
  if (plain) TRY(writer.continue_segment(numbers.back()));
  if (!writer.file_.valid()) TRY(writer.new_segment());
  return writer;
}

/// Leaves file_ invalid when the segment is not of this format.
Result<void> LogWriter::continue_segment(std::uint64_t number) {
  const auto segment = TRY(LogSegment::open(directory_, number));
  if (!segment) return success();
  const Whole whole = TRY(whole_part(*segment));
  if (whole.size < kSegmentMagic.size()) return success();
  const std::string path = directory_ + "/" + segment_name(number);
  sys::Fd file = TRY(sys::open_file(path, O_WRONLY | O_APPEND));
  if (::ftruncate(file.get(), static_cast<off_t>(whole.size)) != 0) return fail_errno("truncate {}", path);
  file_ = std::move(file);
  number_ = number;
  size_ = whole.size;
  restore(whole.block, whole.index);
  if (const auto torn = parse_torn(whole.torn); torn && torn->kind == LogPiece::Kind::Output)
    append(torn->stream, torn->bytes, torn->time);
  for (const Stream stream : {Stream::Stdout, Stream::Stderr})
    finish(stream, last_);  // its writer was killed
  return success();
}

/// Makes the next segment. The oldest goes first, since its room may be what is missing.
Result<void> LogWriter::new_segment() {
  for (const std::uint64_t number : TRY(list_segments(directory_))) {
    if (number + static_cast<std::uint64_t>(limits_.max_files) > number_ + 1) break;
    ::unlink((directory_ + "/" + segment_name(number)).c_str());
    ::unlink((directory_ + "/" + compressed_name(number)).c_str());
  }
  const std::string path = directory_ + "/" + segment_name(number_ + 1);
  sys::Fd file = TRY(sys::open_file(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600));
  if (auto written = sys::write_all(file, kSegmentMagic); !written) {
    ::unlink(path.c_str());
    return written;
  }
  file_ = std::move(file);
  ++number_;
  size_ = kSegmentMagic.size();
  last_ = Time{};
  return success();
}

void LogWriter::note(Error error) {
  if (!failure_) failure_ = std::move(error);
}

/// Times do not fall within a segment.
Time LogWriter::ordered(Time time) {
  if (time < last_ && last_ - time < kClockSlack) time = last_;
  if (time < last_) {
    write_out({});
    if (auto made = new_segment(); !made) note(std::move(made).error());
  }
  last_ = std::max(time, last_);
  return last_;
}

/// How large the next payload may be; at least one byte. Fills up a block that is too full for another
/// record, begins a block with what is open there, and begins a segment when this one is full.
std::size_t LogWriter::make_room(Time time) {
  std::uint64_t position = size_ + pending_.size();
  const std::uint64_t limit = limits_.max_bytes;
  if (limit > 0 && position + kPieceHeader >= limit && position > kSegmentMagic.size()) {
    write_out({});
    if (auto made = new_segment(); !made) note(std::move(made).error());
    position = size_;
  }
  if (block_full(position % kBlock)) {
    pending_.append(kBlock - position % kBlock, '\0');
    position = size_ + pending_.size();
  }
  if (position % kBlock == block_start(position / kBlock)) {
    put_carries(time);
    position = size_ + pending_.size();
  }
  std::uint64_t room = kBlock - position % kBlock;
  if (limit > position) room = std::min(room, limit - position);  // else no new one could be made: go on here
  return static_cast<std::size_t>(std::max<std::uint64_t>(room, kPieceHeader + 1)) - kPieceHeader;
}

/// Very small segments do without: a reader that begins there misses the beginning of a line.
void LogWriter::put_carries(Time time) {
  const std::size_t bytes = sources_[0].open.size() + sources_[1].open.size();
  if (bytes == 0 || (limits_.max_bytes > 0 && bytes > limits_.max_bytes / 4)) return;
  for (const Stream stream : {Stream::Stdout, Stream::Stderr}) {
    const std::string& open = source(stream).open;
    if (!open.empty())
      append_piece(pending_, {.kind = LogPiece::Kind::Carry, .stream = stream, .time = time, .bytes = open});
  }
}

void LogWriter::append(Stream stream, std::string_view bytes, Time time) {
  Source& from = source(stream);
  time = ordered(time);
  while (!bytes.empty()) {
    if (from.skipping) {
      const auto newline = bytes.find('\n');
      if (newline == std::string_view::npos) return;
      bytes.remove_prefix(newline + 1);
      from.skipping = false;
      ++lost_;
    } else if (std::exchange(from.close, false)) {
      (void)put(stream, "\n", time);
    } else {
      bytes.remove_prefix(put(stream, bytes, time));
    }
  }
}

/// Answers how much of `bytes` it took.
std::size_t LogWriter::put(Stream stream, std::string_view bytes, Time time) {
  const std::string_view part = bytes.substr(0, make_room(time));
  const LogPiece piece{.stream = stream, .time = time, .bytes = part};
  follow_open_line(source(stream).open, part);
  if (part.size() < kLarge) {
    append_piece(pending_, piece);
  } else {
    char header[kPieceHeader];
    put_header(header, piece);
    pending_.append(header, sizeof(header));
    write_out(part);
  }
  if (pending_.size() > kPendingLimit) write_out({});
  return part.size();
}

void LogWriter::finish(Stream stream, Time time) {
  Source& from = source(stream);
  from.skipping = false;
  from.close = false;
  if (from.open.empty()) return;
  time = ordered(time);
  make_room(time);
  append_piece(pending_, {.kind = LogPiece::Kind::End, .stream = stream, .time = time, .bytes = {}});
  from.open = std::string();
}

/// Writes what is pending and `payload`, whose header is the last thing pending.
void LogWriter::write_out(std::string_view payload) {
  iovec parts[2] = {{pending_.data(), pending_.size()}, {const_cast<char*>(payload.data()), payload.size()}};
  std::size_t left = pending_.size() + payload.size();
  if (left == 0) return;
  const std::size_t total = left;
  while (left > 0) {
    const ssize_t count = ::writev(file_.get(), parts, 2);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      note(Error::from_errno(fmt::format("write log {}/{}", directory_, segment_name(number_)),
                             count == 0 ? ENOSPC : errno));
      return lose(payload);
    }
    auto written = static_cast<std::size_t>(count);
    left -= written;
    for (iovec& part : parts) {
      const std::size_t of_part = std::min(written, part.iov_len);
      part.iov_base = static_cast<char*>(part.iov_base) + of_part;
      part.iov_len -= of_part;
      written -= of_part;
    }
  }
  size_ += total;
  pending_.clear();
}

/// What got through ends in a torn record: back to where this batch began. Lines that are only half there
/// are ended where they stand, and their rest is passed over.
void LogWriter::lose(std::string_view payload) {
  for (std::string_view rest = pending_; !rest.empty();) {
    const ParsedPiece parsed = parse_piece(rest);
    if (parsed.state != Parse::Complete) break;  // the header of `payload`, or a block's end
    if (parsed.piece.kind == LogPiece::Kind::Output)
      lost_ +=
          static_cast<std::uint64_t>(std::count(parsed.piece.bytes.begin(), parsed.piece.bytes.end(), '\n'));
    rest.remove_prefix(parsed.size);
  }
  lost_ += static_cast<std::uint64_t>(std::count(payload.begin(), payload.end(), '\n'));
  pending_.clear();
  (void)!::ftruncate(file_.get(), static_cast<off_t>(size_));
  for (Source& from : sources_) from.skipping = !from.open.empty();
  std::string block;
  std::uint64_t index = 0;
  if (auto segment = LogSegment::open(directory_, number_); segment.ok() && *segment) {
    if (auto whole = whole_part(**segment); whole.ok()) {
      block = std::move(whole->block);
      index = whole->index;
    }
  }
  restore(block, index);
  for (Source& from : sources_) from.close = !from.open.empty();
}

/// Takes over how things stand at the end of the file, whose last block this is.
void LogWriter::restore(std::string_view block, std::uint64_t index) {
  for (Source& from : sources_) from.open.clear();
  block.remove_prefix(std::min(block_start(index), block.size()));
  while (true) {
    const ParsedPiece parsed = parse_piece(block);
    if (parsed.state != Parse::Complete) return;
    std::string& open = source(parsed.piece.stream).open;
    if (parsed.piece.kind == LogPiece::Kind::Output)
      follow_open_line(open, parsed.piece.bytes);
    else
      open.assign(parsed.piece.kind == LogPiece::Kind::Carry ? parsed.piece.bytes : std::string_view());
    last_ = parsed.piece.time;
    block.remove_prefix(parsed.size);
  }
}

Result<void> LogWriter::flush() {
  write_out({});
  if (!failure_) return success();
  Error error = *std::move(failure_);
  failure_.reset();
  return error;
}

void LogWriter::trim() {
  if (pending_.empty()) pending_ = std::string();
}

}  // namespace skiff::monitor
