#include "monitor/log_format.h"

#include <fmt/format.h>

#include "base/strings.h"
#include "monitor/little_endian.h"

namespace skiff::monitor {
namespace {

constexpr std::uint8_t kStreamMask = 0x03;
constexpr std::uint8_t kKindShift = 2;
constexpr std::uint8_t kKnownFlags = 0x0f;
constexpr std::string_view kPlainEnd = ".log";
constexpr std::string_view kCompressedEnd = ".log.z";

/// 24 bits over size, flags and time. Not zero for an all-zero header, which is what a file system leaves
/// behind when a machine lost power between growing the file and writing the data.
std::uint32_t header_check(std::uint32_t size, std::uint8_t flags, std::uint64_t time) {
  std::uint64_t mixed = (time ^ (std::uint64_t{size} << 32) ^ flags) + 0x9e3779b97f4a7c15ULL;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ULL;
  mixed ^= mixed >> 29;
  return static_cast<std::uint32_t>(mixed >> 40) | 1;
}

struct Header {
  std::uint32_t size = 0;
  LogPiece piece;
};

/// Nothing when these kPieceHeader bytes are damaged.
std::optional<Header> parse_header(std::string_view bytes) {
  const auto size = get_little<std::uint32_t>(bytes.data());
  const auto flags = static_cast<std::uint8_t>(bytes[4]);
  const auto check = get_little<std::uint32_t>(bytes.data() + 5, 3);
  const auto time = get_little<std::uint64_t>(bytes.data() + 8);
  const auto stream = flags & kStreamMask;
  const auto kind = flags >> kKindShift;
  if (size > kBlock || (flags & ~kKnownFlags) != 0 || stream == 0 || stream == kStreamMask ||
      kind > static_cast<int>(LogPiece::Kind::End) || check != header_check(size, flags, time)) {
    return std::nullopt;
  }
  Header header{.size = size};
  header.piece.kind = static_cast<LogPiece::Kind>(kind);
  header.piece.stream = static_cast<Stream>(stream);
  header.piece.time = Time(std::chrono::nanoseconds(static_cast<std::int64_t>(time)));
  return header;
}

}  // namespace

void put_header(char* out, const LogPiece& piece) {
  const auto size = static_cast<std::uint32_t>(piece.bytes.size());
  const auto flags = static_cast<std::uint8_t>(static_cast<std::uint8_t>(piece.stream) |
                                               (static_cast<std::uint8_t>(piece.kind) << kKindShift));
  const auto time = static_cast<std::uint64_t>(piece.time.time_since_epoch().count());
  put_little(out, size);
  out[4] = static_cast<char>(flags);
  put_little(out + 5, header_check(size, flags, time), 3);
  put_little(out + 8, time);
}

void append_piece(std::string& out, const LogPiece& piece) {
  char header[kPieceHeader];
  put_header(header, piece);
  out.append(header, sizeof(header));
  out.append(piece.bytes);
}

ParsedPiece parse_piece(std::string_view bytes) {
  ParsedPiece parsed;
  if (bytes.size() < kPieceHeader) return parsed;
  const auto header = parse_header(bytes);
  if (!header) {
    parsed.state = Parse::Damaged;
    return parsed;
  }
  if (bytes.size() < encoded_size(header->size)) return parsed;
  parsed.state = Parse::Complete;
  parsed.size = encoded_size(header->size);
  parsed.piece = header->piece;
  parsed.piece.bytes = bytes.substr(kPieceHeader, header->size);
  return parsed;
}

std::optional<LogPiece> parse_torn(std::string_view bytes) {
  if (bytes.size() < kPieceHeader) return std::nullopt;
  const auto header = parse_header(bytes);
  if (!header) return std::nullopt;
  LogPiece piece = header->piece;
  piece.bytes = bytes.substr(kPieceHeader, header->size);
  return piece;
}

std::optional<Time> parse_time(std::string_view bytes) {
  if (bytes.size() < kPieceHeader) return std::nullopt;
  const auto header = parse_header(bytes);
  return header ? std::optional(header->piece.time) : std::nullopt;
}

std::size_t valid_length(std::string_view block, std::uint64_t index) {
  if (index == 0 && !block.starts_with(kSegmentMagic)) return 0;
  std::size_t offset = block_start(index);
  while (!block_full(offset)) {
    const ParsedPiece parsed = parse_piece(block.substr(offset));
    if (parsed.state != Parse::Complete) return offset;
    offset += parsed.size;
  }
  return std::min(block.size(), kBlock);
}

std::string segment_name(std::uint64_t number) { return fmt::format("{:08}{}", number, kPlainEnd); }
std::string compressed_name(std::uint64_t number) { return fmt::format("{:08}{}", number, kCompressedEnd); }

std::optional<std::uint64_t> parse_segment_name(std::string_view name) {
  for (const std::string_view end : {kPlainEnd, kCompressedEnd}) {
    if (name.size() >= 8 + end.size() && name.ends_with(end))
      return parse_uint(name.substr(0, name.size() - end.size()));
  }
  return std::nullopt;
}

}  // namespace skiff::monitor
