#include "monitor/log_format.h"

#include <fmt/format.h>

#include "base/strings.h"

namespace skiff::monitor {
namespace {

constexpr std::uint8_t kStreamMask = 0x03;
constexpr std::uint8_t kPartialFlag = 0x04;
constexpr std::uint8_t kKnownFlags = kStreamMask | kPartialFlag;

template <typename T>
void put(char* out, T value, std::size_t bytes = sizeof(T)) {
  for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<char>(value >> (8 * i));
}

template <typename T>
T get(const char* in, std::size_t bytes = sizeof(T)) {
  T value = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    value |= static_cast<T>(static_cast<unsigned char>(in[i])) << (8 * i);
  return value;
}

/// 24 bits over size, flags and time. Not zero for an all-zero header, which is what a file system leaves
/// behind when a machine lost power between growing the file and writing the data.
std::uint32_t header_check(std::uint32_t size, std::uint8_t flags, std::uint64_t time) {
  std::uint64_t mixed = (time ^ (std::uint64_t{size} << 32) ^ flags) + 0x9e3779b97f4a7c15ULL;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ULL;
  mixed ^= mixed >> 29;
  return static_cast<std::uint32_t>(mixed >> 40) | 1;
}

}  // namespace

void append_record(std::string& out, const LogRecord& record) {
  const auto size = static_cast<std::uint32_t>(record.bytes.size());
  const auto flags = static_cast<std::uint8_t>(static_cast<std::uint8_t>(record.stream) |
                                               (record.partial ? kPartialFlag : 0));
  const auto time = static_cast<std::uint64_t>(record.time.time_since_epoch().count());
  char header[kRecordHeader];
  put(header, size);
  header[4] = static_cast<char>(flags);
  put(header + 5, header_check(size, flags, time), 3);
  put(header + 8, time);
  out.append(header, sizeof(header));
  out.append(record.bytes);
  out.append(header, kRecordTrailer);
}

ParsedRecord parse_record(std::string_view bytes) {
  ParsedRecord parsed;
  if (bytes.size() < kRecordHeader) return parsed;
  const auto size = get<std::uint32_t>(bytes.data());
  const auto flags = static_cast<std::uint8_t>(bytes[4]);
  const auto check = get<std::uint32_t>(bytes.data() + 5, 3);
  const auto time = get<std::uint64_t>(bytes.data() + 8);
  const auto stream = flags & kStreamMask;
  if (size > kMaxLine || (flags & ~kKnownFlags) != 0 || stream == 0 || stream == kStreamMask ||
      check != header_check(size, flags, time)) {
    parsed.state = Parse::Damaged;
    return parsed;
  }
  if (bytes.size() < encoded_size(size)) return parsed;
  if (get<std::uint32_t>(bytes.data() + kRecordHeader + size) != size) {
    parsed.state = Parse::Damaged;
    return parsed;
  }
  parsed.state = Parse::Complete;
  parsed.size = encoded_size(size);
  parsed.record.stream = static_cast<Stream>(stream);
  parsed.record.partial = (flags & kPartialFlag) != 0;
  parsed.record.time = Time(std::chrono::nanoseconds(static_cast<std::int64_t>(time)));
  parsed.record.bytes = bytes.substr(kRecordHeader, size);
  return parsed;
}

std::optional<std::size_t> parse_trailer(std::string_view four_bytes) {
  if (four_bytes.size() != kRecordTrailer) return std::nullopt;
  const auto size = get<std::uint32_t>(four_bytes.data());
  if (size > kMaxLine) return std::nullopt;
  return size;
}

std::size_t valid_length(std::string_view segment) {
  if (segment.substr(0, kSegmentMagic.size()) != kSegmentMagic) return 0;
  std::size_t offset = kSegmentMagic.size();
  while (true) {
    const ParsedRecord parsed = parse_record(segment.substr(offset));
    if (parsed.state != Parse::Complete) return offset;
    offset += parsed.size;
  }
}

std::string segment_name(std::uint64_t number) { return fmt::format("{:08}.log", number); }

std::optional<std::uint64_t> parse_segment_name(std::string_view name) {
  if (name.size() < 12 || !name.ends_with(".log")) return std::nullopt;
  return parse_uint(name.substr(0, name.size() - 4));
}

}  // namespace skiff::monitor
