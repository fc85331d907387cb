#include "archive/estargz.h"

#include <charconv>

#include "base/error.h"

namespace skiff::archive {
namespace {

using namespace std::string_view_literals;

/// An empty gzip member with an extra field (RFC 1952, 2.3.1.1): 26 bytes, of which "SG" has 22.
constexpr auto kHead = "\x1f\x8b\x08\x04\0\0\0\0\0\xff\x1a\0SG\x16\0"sv;
constexpr std::size_t kDigits = 16;
constexpr auto kMark = "STARGZ"sv;

}  // namespace

Result<std::uint64_t> estargz_contents(std::string_view footer, std::uint64_t blob_size) {
  std::uint64_t offset = 0;
  const auto digits = footer.substr(std::min(footer.size(), kHead.size()), kDigits);
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), offset, 16);
  // The operating system's byte differs with who wrote it.
  const bool is_footer = footer.size() == kEstargzFooter && footer.substr(0, 9) == kHead.substr(0, 9) &&
                         footer.substr(10, 6) == kHead.substr(10) &&
                         footer.substr(kHead.size() + kDigits, kMark.size()) == kMark &&
                         digits.size() == kDigits && parsed.ec == std::errc() &&
                         parsed.ptr == digits.data() + kDigits;
  if (!is_footer) return Error(Kind::InvalidArgument, "the layer does not end like eStargz");
  if (blob_size < kEstargzFooter || offset >= blob_size - kEstargzFooter)
    return fail(Kind::InvalidArgument, "the layer's table of contents is said to be at {} of {} bytes",
                offset, blob_size);
  return offset;
}

}  // namespace skiff::archive
