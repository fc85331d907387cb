#include "registry/server/range.h"

#include <algorithm>
#include <limits>

#include "base/strings.h"

namespace skiff::registry::server {
namespace {

constexpr std::string_view kBytes = "bytes";

/// The last `count` of `size` bytes.
RangeAnswer suffix(std::uint64_t count, std::uint64_t size) {
  if (count == 0 || size == 0) return {RangeAnswer::Kind::Unsatisfiable, {}};
  const std::uint64_t length = std::min(count, size);
  return {RangeAnswer::Kind::Part, {size - length, length}};
}

}  // namespace

RangeAnswer parse_range(std::string_view header, std::uint64_t size) {
  header = trim(header);
  const auto [unit, set] = cut(header, '=');
  if (!set || !equals_ignore_case(trim(unit), kBytes) || set->find(',') != std::string_view::npos) return {};
  const auto [first_text, last_text] = cut(trim(*set), '-');
  if (!last_text) return {};
  const auto first = parse_uint(trim(first_text));
  const auto last = parse_uint(trim(*last_text));
  if (trim(first_text).empty()) return last ? suffix(*last, size) : RangeAnswer{};
  if (!first || (!last && !trim(*last_text).empty())) return {};
  if (last && *last < *first) return {};
  if (*first >= size) return {RangeAnswer::Kind::Unsatisfiable, {}};
  const std::uint64_t end = last ? std::min(*last, size - 1) : size - 1;
  return {RangeAnswer::Kind::Part, {*first, end - *first + 1}};
}

std::optional<ByteRange> parse_content_range(std::string_view header) {
  header = trim(header);
  if (header.size() > kBytes.size() && equals_ignore_case(header.substr(0, kBytes.size()), kBytes))
    header = trim(header.substr(kBytes.size()));
  const auto [first_text, last_text] = cut(cut(header, '/').first, '-');
  if (!last_text) return std::nullopt;
  const auto first = parse_uint(first_text);
  const auto last = parse_uint(*last_text);
  if (!first || !last || *last < *first || *last == std::numeric_limits<std::uint64_t>::max())
    return std::nullopt;
  return ByteRange{*first, *last - *first + 1};
}

}  // namespace skiff::registry::server
