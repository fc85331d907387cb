#include "monitor/log_reader.h"

#include <algorithm>

namespace skiff::monitor {
namespace {

std::uint64_t count_newlines(std::string_view bytes) {
  // Groups of a fixed size become vector instructions.
  constexpr std::size_t kGroup = 64;
  std::uint64_t count = 0;
  for (; bytes.size() >= kGroup; bytes.remove_prefix(kGroup)) {
    const char* group = bytes.data();
    std::uint8_t of_group = 0;
    for (std::size_t i = 0; i < kGroup; ++i)
      of_group = static_cast<std::uint8_t>(of_group + (group[i] == '\n' ? 1 : 0));
    count += of_group;
  }
  return count + static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.end(), '\n'));
}

/// How many lines end in a block.
std::uint64_t line_ends(std::string_view block, std::uint64_t index) {
  std::uint64_t count = 0;
  block.remove_prefix(std::min(block_start(index), block.size()));
  while (true) {
    const ParsedPiece parsed = parse_piece(block);
    if (parsed.state != Parse::Complete) return count;
    if (parsed.piece.kind == LogPiece::Kind::Output)
      count += count_newlines(parsed.piece.bytes);
    else if (parsed.piece.kind == LogPiece::Kind::End)
      ++count;
    block.remove_prefix(parsed.size);
  }
}

}  // namespace

Result<LogReader> LogReader::open(std::string directory, LogQuery query) {
  LogReader reader(std::move(directory));
  reader.query_ = query;
  reader.end_ = TRY(end_of(reader.directory_));
  if (query.tail)
    TRY(reader.seek_tail(*query.tail));
  else if (query.since)
    TRY(reader.seek_since(*query.since));
  return reader;
}

Result<LogReader::Place> LogReader::end_of(const std::string& directory) {
  while (true) {
    const auto numbers = TRY(list_segments(directory));
    if (numbers.empty()) return Place{};
    const auto segment = TRY(LogSegment::open(directory, numbers.back()));
    if (!segment) continue;  // a whole generation was rotated away meanwhile
    return Place{.segment = numbers.back(), .offset = TRY(segment->end())};
  }
}

bool LogReader::beyond_end() const {
  return query_.only_present && Place{.segment = number_, .offset = index_ * kBlock + position_} >= end_;
}

/// Goes back from end_, block by block, until there are more line ends than wanted.
Result<void> LogReader::seek_tail(std::uint64_t lines) {
  const auto numbers = TRY(list_segments(directory_));
  std::uint64_t seen = 0;
  std::string block;
  for (auto number = numbers.rbegin(); number != numbers.rend(); ++number) {
    const auto segment = TRY(LogSegment::open(directory_, *number));
    if (!segment) break;  // rotated away meanwhile
    for (std::uint64_t count = TRY(segment->blocks()); count > 0; --count) {
      const Place begin{.segment = *number, .offset = (count - 1) * kBlock};
      if (begin >= end_) continue;
      block.clear();
      TRY(segment->read(count - 1, block));
      if (begin.segment == end_.segment)
        block.resize(std::min<std::uint64_t>(block.size(), end_.offset - begin.offset));
      seen += line_ends(block, count - 1);
      if (seen <= lines) continue;
      TRY(enter_segment(*number, count - 1));
      drop_ = seen - lines;
      return success();
    }
  }
  return success();
}

/// Passes over whole segments that end before, then finds the last block that begins before.
Result<void> LogReader::seek_since(Time since) {
  const auto numbers = TRY(list_segments(directory_));
  for (const std::uint64_t number : numbers) {
    const auto segment = TRY(LogSegment::open(directory_, number));
    if (!segment) continue;
    if (number != numbers.back()) {
      const auto last = TRY(segment->last_time());
      if (last && *last < since) continue;
    }
    std::uint64_t low = 0;
    std::uint64_t high = TRY(segment->blocks());
    while (low + 1 < high) {
      const std::uint64_t middle = low + (high - low) / 2;
      const auto time = TRY(segment->first_time(middle));
      if (time && *time < since)
        low = middle;
      else
        high = middle;
    }
    TRY(enter_segment(number, low));
    return success();
  }
  return success();
}

Result<bool> LogReader::enter_segment(std::uint64_t number, std::uint64_t block) {
  auto segment = TRY(LogSegment::open(directory_, number));
  if (!segment) return false;
  const bool in_sequence = block == 0 && segment_ && !skip_segment_ && number == number_ + 1;
  segment_ = std::move(segment);
  number_ = number;
  skip_segment_ = false;
  enter_block(block, in_sequence);
  return true;
}

void LogReader::enter_block(std::uint64_t index, bool in_sequence) {
  index_ = index;
  block_.clear();
  position_ = block_start(index);
  if (in_sequence) return;
  entered_ = true;
  lines_ = {};
}

Result<bool> LogReader::next_segment() {
  for (const std::uint64_t number : TRY(list_segments(directory_))) {
    if (number > number_ && TRY(enter_segment(number, 0))) return true;
  }
  return false;
}

/// Whether a whole record stands at position_. What was not whole is read anew, for it may have been
/// replaced.
Result<bool> LogReader::whole_piece_here() {
  const auto rest = [&] { return std::string_view(block_).substr(std::min(position_, block_.size())); };
  if (parse_piece(rest()).state == Parse::Complete) return true;
  block_.resize(std::min(block_.size(), position_));
  TRY(segment_->read(index_, block_));
  if (index_ == 0 && block_.size() >= kSegmentMagic.size() && !block_.starts_with(kSegmentMagic))
    skip_segment_ = true;
  return !skip_segment_ && parse_piece(rest()).state == Parse::Complete;
}

/// Goes to the next record: true when one stands at position_.
Result<bool> LogReader::advance() {
  while (true) {
    if (!segment_ && !TRY(next_segment())) return false;
    if (!skip_segment_) {
      if (block_full(position_)) enter_block(index_ + 1, true);
      if (TRY(whole_piece_here())) return true;
    }
    // The end of what there is, or damage. The writer goes on in this block unless there is a further one.
    const bool further_block = !skip_segment_ && index_ + 1 < TRY(segment_->blocks());
    const auto numbers = TRY(list_segments(directory_));
    const bool further_segment = !numbers.empty() && numbers.back() > number_;
    if (!further_block && !further_segment) return false;
    // It may have been written after the look above and before the further one began.
    if (!skip_segment_ && TRY(whole_piece_here())) return true;
    damaged_ += block_.size() - std::min(position_, block_.size());
    if (further_block)
      enter_block(index_ + 1, block_.size() <= position_);
    else if (!TRY(next_segment()))
      return false;
  }
}

/// Makes piece_ the next output or end of a stream.
Result<bool> LogReader::next_piece() {
  while (TRY(advance())) {
    if (beyond_end()) return false;
    const ParsedPiece parsed = parse_piece(std::string_view(block_).substr(position_));
    position_ += parsed.size;
    if (query_.until && parsed.piece.time > *query_.until) {
      skip_segment_ = true;
      block_.resize(std::min(block_.size(), position_));
      continue;
    }
    take(parsed.piece);
    if (parsed.piece.kind != LogPiece::Kind::Carry) return true;
  }
  return false;
}

/// What is carried into a block is known already, unless the reading begins here.
void LogReader::take(const LogPiece& piece) {
  if (piece.kind == LogPiece::Kind::Carry) {
    if (entered_) lines_.open(piece.stream) = piece.bytes;
    return;
  }
  entered_ = false;
  piece_ = piece;
  ended_ = piece.kind == LogPiece::Kind::End;
  rest_ = ended_ ? std::string_view() : piece.bytes;
}

bool LogReader::shown(Stream stream, Time time) const {
  if (stream == Stream::Stdout ? !query_.standard_output : !query_.standard_error) return false;
  return !query_.since || time >= *query_.since;
}

Result<std::optional<LogRecord>> LogReader::next() {
  while (true) {
    const bool wanted = shown(piece_.stream, piece_.time);
    if (!wanted && drop_ == 0) {
      follow_open_line(lines_.open(piece_.stream), rest_);
      rest_ = {};
    }
    auto line = lines_.next(piece_.stream, rest_);
    const bool at_end = !line && std::exchange(ended_, false);
    if (at_end) line = lines_.finish(piece_.stream);
    if (line) {
      if (drop_ == 0 && wanted) {
        return std::optional(LogRecord{
            .stream = piece_.stream, .partial = line->partial, .time = piece_.time, .bytes = line->bytes});
      }
      if (drop_ > 0 && (at_end || !line->partial)) --drop_;
      continue;
    }
    if (TRY(next_piece()) || (abandoned_ && take_torn())) continue;
    return std::optional<LogRecord>();
  }
}

/// Makes piece_ the torn record at the end of the log, then the end of each stream that has an open line.
bool LogReader::take_torn() {
  if (beyond_end()) return false;
  if (segment_ && !skip_segment_ && position_ < block_.size()) {
    const auto torn = parse_torn(std::string_view(block_).substr(position_));
    position_ = block_.size();
    if (torn && torn->kind == LogPiece::Kind::Output && !torn->bytes.empty()) {
      take(*torn);
      return true;
    }
  }
  for (const Stream stream : {Stream::Stdout, Stream::Stderr}) {
    if (lines_.open(stream).empty()) continue;
    take({.kind = LogPiece::Kind::End, .stream = stream, .time = piece_.time, .bytes = {}});
    return true;
  }
  return false;
}

}  // namespace skiff::monitor
