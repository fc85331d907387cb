#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/base64.h"
#include "base/strings.h"
#include "registry/server/access.h"
#include "registry/server/access_log.h"
#include "registry/server/manifest.h"
#include "registry/server/range.h"
#include "registry/server/route.h"
#include "registry/server/s3/xml.h"
#include "registry/server/token.h"
#include "spec/digest.h"
#include "spec/reference.h"

namespace {

using namespace skiff;
using namespace skiff::registry::server;

void must(bool holds) {
  if (!holds) std::abort();
}

/// Paths: what passes for a name is safe as one of files.
void read_path(std::string_view text) {
  const auto [path, query] = cut(text, '?');
  const auto route = Route::parse(path);
  if (is_repository_name(route.repository)) {
    must(route.repository.find("..") == std::string::npos && !route.repository.starts_with('/'));
    for (const auto& part : split(route.repository, '/')) must(!part.empty() && part.front() != '_');
  }
  if (spec::is_tag(route.reference)) must(route.reference.find('/') == std::string::npos);
  if (const auto digest = spec::Digest::parse(route.reference); digest.ok())
    must(digest->hex().find_first_not_of("0123456789abcdef") == std::string_view::npos);
  (void)query_value(query.value_or(""), "digest");
}

void read_ranges(std::string_view text, std::uint64_t size) {
  const auto answer = parse_range(text, size);
  if (answer.kind == RangeAnswer::Kind::Part)
    must(answer.range.length > 0 && answer.range.first < size &&
         answer.range.length <= size - answer.range.first);
  if (const auto chunk = parse_content_range(text)) must(chunk->length > 0);
}

void read_bodies(std::string_view text) {
  for (const std::string_view type :
       {std::string_view(), spec::oci::kMediaTypeManifest, spec::oci::kMediaTypeIndex})
    if (const auto facts = read_manifest(text, type); facts.ok()) must(!facts->media_type.empty());
  (void)json::decode<Claims>(text);
  (void)s3::text_of(text, "Key");
  (void)s3::elements(text, "Contents");
}

void read_words(std::string_view text) {
  const auto [pattern, name] = cut(text, ' ');
  if (pattern == name) must(matches(pattern, *name));
  if (const auto bytes = decode_base64(text)) must(bytes->size() <= text.size());
  AccessRecord record;
  record.user = record.method = record.target = record.agent = text;
  const std::string line = format_access(record);
  must(line.find('\n') == line.size() - 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      read_path(text);
      break;
    case 1:
      read_ranges(text, size);
      read_ranges(text, UINT64_MAX);
      break;
    case 2:
      read_bodies(text);
      break;
    default:
      read_words(text);
  }
  return 0;
}
