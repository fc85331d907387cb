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
///     u32 payload size | u8 flags | u24 check | u64 nanoseconds since 1970 | payload | u32 payload size
///
/// One record is one line without its newline, or a part of one (kPartial). The size stands at both ends so
/// that the last N lines are found backwards; the check covers the header, so that a torn write or foreign
/// bytes are recognised and never shown as output. Payloads carry any byte, NUL included.
namespace skiff::monitor {

enum class Stream : std::uint8_t { Stdout = 1, Stderr = 2 };

struct LogRecord {
  Stream stream = Stream::Stdout;
  bool partial = false;  ///< no newline follows: the line was longer than kMaxLine, or the output ended here
  Time time{};
  std::string_view bytes;
};

constexpr std::string_view kSegmentMagic = "SKIFLOG1";
constexpr std::size_t kRecordHeader = 16;
constexpr std::size_t kRecordTrailer = 4;
constexpr std::size_t kMaxLine = 16 << 10;  ///< longer lines are split, as Docker does

/// Appends the encoded record to `out`; at most kMaxLine payload bytes.
void append_record(std::string& out, const LogRecord& record);
constexpr std::size_t encoded_size(std::size_t payload) { return kRecordHeader + payload + kRecordTrailer; }

enum class Parse : std::uint8_t {
  Complete,
  Incomplete,  ///< good as far as it goes: more bytes may follow, or the writer died here
  Damaged,     ///< these bytes are not a record
};

struct ParsedRecord {
  Parse state = Parse::Incomplete;
  LogRecord record;      ///< `bytes` points into the parsed text
  std::size_t size = 0;  ///< of the whole record
};

/// Reads the record at the start of `bytes`. Any input is fine.
ParsedRecord parse_record(std::string_view bytes);

/// The payload size in a record's last four bytes; nothing when it cannot be one.
std::optional<std::size_t> parse_trailer(std::string_view four_bytes);

/// How many bytes from the start of a segment (its magic included) are whole records; the rest is torn or
/// damaged.
std::size_t valid_length(std::string_view segment);

/// "00000001.log"
std::string segment_name(std::uint64_t number);
std::optional<std::uint64_t> parse_segment_name(std::string_view name);

}  // namespace skiff::monitor
