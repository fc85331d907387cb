#include "base/strings.h"
#include "registry/server/call.h"
#include "registry/server/registry.h"

/// GET, HEAD and DELETE of /v2/<name>/blobs/<digest>.
namespace skiff::registry::server {
namespace {

/// A blob never changes: whoever has it may keep it for a year, which is "for ever" to caches.
constexpr std::string_view kForever = "max-age=31536000";

/// The range that is asked for. With If-Range only of the blob that the client has begun with.
RangeAnswer range_of(const Call& call, const std::string& tag, std::uint64_t size) {
  const auto condition = call.http.fields().get("If-Range");
  if (!condition.empty() && condition != tag) return {};
  return parse_range(call.http.fields().get("Range"), size);
}

}  // namespace

Result<void> get_blob(Call& call) {
  const auto digest = spec::Digest::parse(call.route.reference);
  if (!digest.ok()) return call.refuse(Code::DigestInvalid, digest.error().message());
  auto& repositories = call.registry.repositories();
  const auto size = call.is_head() && !call.registry.settings().read_only
                        ? repositories.use_blob(call.name(), *digest)
                        : repositories.blob_size(call.name(), *digest);
  if (!size.ok() && size.error().kind() == Kind::NotFound) {
    if (call.registry.cache().covers(call.name()))
      return serve_from_upstream(call, call.registry.cache(), *digest);
    return call.refuse(Code::BlobUnknown, {}, json::Value(digest->to_string()));
  }
  const std::string tag = "\"" + digest->to_string() + "\"";
  const auto range = range_of(call, tag, TRY(size));
  auto content = TRY(repositories.open_blob(call.name(), *digest));
  if (content.size != *size)
    return fail(Kind::DataLoss, "blob {} has {} bytes on disk, not {}", digest->to_string(), content.size,
                *size);
  call.header("Docker-Content-Digest", digest->to_string());
  call.header("Etag", tag);
  call.header("Cache-Control", std::string(kForever));
  if (call.http.fields().has_token("If-None-Match", tag)) return call.answer(304);
  return call.send_content(std::move(content), range);
}

Result<void> delete_blob(Call& call) {
  const auto digest = spec::Digest::parse(call.route.reference);
  if (!digest.ok()) return call.refuse(Code::DigestInvalid, digest.error().message());
  auto& repositories = call.registry.repositories();
  const auto removed = repositories.remove_blob(call.name(), *digest);
  if (!removed.ok() && removed.error().kind() == Kind::NotFound)
    return call.refuse(Code::BlobUnknown, {}, json::Value(digest->to_string()));
  TRY(removed);
  call.registry.quotas().forget();
  return call.answer(202);
}

}  // namespace skiff::registry::server
