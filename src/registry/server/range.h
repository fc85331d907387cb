#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace skiff::registry::server {

/// Bytes first .. first + length - 1.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t length = 0;

  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

struct RangeAnswer {
  enum class Kind : std::uint8_t {
    Whole,          ///< no range, or one that is to be passed over: 200
    Part,           ///< 206
    Unsatisfiable,  ///< 416
  };
  Kind kind = Kind::Whole;
  ByteRange range;
};

/// What a `Range` header asks of `size` bytes (RFC 9110, 14.2). Several ranges, other units and malformed
/// values are passed over, which the RFC allows.
RangeAnswer parse_range(std::string_view header, std::uint64_t size);

/// The `Content-Range` of a chunk: "<first>-<last>" as the distribution spec has it, or HTTP's
/// "bytes <first>-<last>/<size or *>". Nothing when malformed.
std::optional<ByteRange> parse_content_range(std::string_view header);

}  // namespace skiff::registry::server
