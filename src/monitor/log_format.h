#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

/// The form of a container's log on disk ("local" driver). A log is a directory of segments named
/// 00000001.log, 00000002.log ...; the highest number is being written, the lowest is removed when there are
/// more than the limit. A segment is kSegmentMagic followed by records, all numbers little-endian:
///
///     u32 payload size | u8 flags | u24 check | u64 nanoseconds since 1970 | payload
///
/// A record is a piece of a stream as the program wrote it, newlines and any other byte included; where
/// lines begin and end is the reader's affair (log_lines.h). The check covers the header, so that a torn
/// write or foreign bytes are recognised and never shown as output.
///
/// No record crosses a multiple of kBlock, and every block can be read without those before it: it begins
/// with the lines that were open there (kCarry). Times do not fall within a segment; a clock that is set back
/// begins a new one. So a moment is found by bisection over the blocks, and the last lines by going back
/// block by block: the blocks are the index.
namespace skiff::monitor {

enum class Stream : std::uint8_t { Stdout = 1, Stderr = 2 };

/// One line, or a part of one, as readers get it.
struct LogRecord {
  Stream stream = Stream::Stdout;
  bool partial = false;  ///< no newline follows: the line was longer than kMaxLine, or the output ended here
  Time time{};
  std::string_view bytes;
  std::string_view details;  ///< "name=value,name=value", escaped as in URLs; of "json-file" only
};

/// A record as it stands in a block.
struct LogPiece {
  enum class Kind : std::uint8_t {
    Output,
    Carry,  ///< the beginning of a line that is open where this block begins; known from the block before
    End,    ///< the stream ended in the middle of a line
  };
  Kind kind = Kind::Output;
  Stream stream = Stream::Stdout;
  Time time{};
  std::string_view bytes;
};

constexpr std::string_view kSegmentMagic = "SKIFLOG2";
constexpr std::size_t kBlock = 256 << 10;
constexpr std::size_t kPieceHeader = 16;
constexpr std::size_t kMaxLine = 16 << 10;  ///< longer lines are split, as Docker does

/// Writes the header of `piece` to the kPieceHeader bytes at `out`.
void put_header(char* out, const LogPiece& piece);
/// Appends the encoded piece to `out`.
void append_piece(std::string& out, const LogPiece& piece);
constexpr std::size_t encoded_size(std::size_t payload) { return kPieceHeader + payload; }

enum class Parse : std::uint8_t {
  Complete,
  Incomplete,  ///< good as far as it goes: more bytes may follow, or the writer died here
  Damaged,     ///< these bytes are not a record
};

struct ParsedPiece {
  Parse state = Parse::Incomplete;
  LogPiece piece;        ///< `bytes` points into the parsed text
  std::size_t size = 0;  ///< of the whole record
};

/// Reads the record at the start of `bytes`. Any input is fine.
ParsedPiece parse_piece(std::string_view bytes);

/// The record at the start of `bytes` with as much of its payload as is there; nothing when its header is not
/// whole or damaged. For what a writer left that was killed.
std::optional<LogPiece> parse_torn(std::string_view bytes);
/// The time in a record's header, of which `bytes` is the beginning; nothing when it is damaged.
std::optional<Time> parse_time(std::string_view bytes);

/// Where the first record of block `index` stands in it: behind the magic in a segment's first block.
constexpr std::size_t block_start(std::uint64_t index) { return index == 0 ? kSegmentMagic.size() : 0; }
/// Whether nothing more is written to a block that is filled so far.
constexpr bool block_full(std::size_t filled) { return filled + kPieceHeader >= kBlock; }
/// How many bytes of block `index` are whole records (the magic included); the rest is torn or damaged.
std::size_t valid_length(std::string_view block, std::uint64_t index);

/// "00000001.log", or "00000001.log.z" once it is compressed.
std::string segment_name(std::uint64_t number);
std::string compressed_name(std::uint64_t number);
/// The number in either name.
std::optional<std::uint64_t> parse_segment_name(std::string_view name);

}  // namespace skiff::monitor
