#include "base/strings.h"
#include "registry/server/call.h"
#include "registry/server/registry.h"
#include "spec/reference.h"

/// GET, HEAD, PUT and DELETE of /v2/<name>/manifests/<tag or digest>.
namespace skiff::registry::server {
namespace {

bool is_digest(std::string_view reference) { return reference.find(':') != std::string_view::npos; }

Result<void> refuse_unknown(Call& call) {
  const std::string_view member = is_digest(call.route.reference) ? "digest" : "tag";
  return call.refuse(Code::ManifestUnknown, {},
                     json::Object{{"name", call.name()}, {member, call.route.reference}});
}

/// The digest that the path means. NotFound; InvalidArgument when it is one and malformed.
Result<spec::Digest> resolve(Call& call) {
  const auto& reference = call.route.reference;
  if (is_digest(reference)) return spec::Digest::parse(reference);
  if (!spec::is_tag(reference)) return fail(Kind::NotFound, "{} is no tag", quote(reference));
  auto& cache = call.registry.cache();
  if (cache.covers(call.name())) return cache.resolve(call.name(), reference);
  return call.registry.repositories().resolve(call.name(), reference);
}

spec::Digest digest_of(std::string_view bytes, std::string_view algorithm) {
  spec::Hasher hasher(algorithm);
  hasher.update(bytes);
  return hasher.finish();
}

}  // namespace

Result<void> get_manifest(Call& call) {
  const auto digest = resolve(call);
  if (!digest.ok() && digest.error().kind() == Kind::InvalidArgument)
    return call.refuse(Code::DigestInvalid, digest.error().message());
  if (!digest.ok() && digest.error().kind() == Kind::NotFound) return refuse_unknown(call);
  auto& cache = call.registry.cache();
  const auto manifest = cache.covers(call.name())
                            ? cache.manifest(call.name(), TRY(digest))
                            : call.registry.repositories().manifest(call.name(), TRY(digest));
  if (!manifest.ok() && manifest.error().kind() == Kind::NotFound) return refuse_unknown(call);
  TRY(manifest);
  const std::string tag = "\"" + manifest->digest.to_string() + "\"";
  call.header("Docker-Content-Digest", manifest->digest.to_string());
  call.header("Etag", tag);
  if (call.http.fields().has_token("If-None-Match", tag)) return call.answer(304);
  return call.answer(200, manifest->bytes, manifest->media_type);
}

Result<void> put_manifest(Call& call) {
  const auto& reference = call.route.reference;
  const bool by_digest = is_digest(reference);
  if (!by_digest && !spec::is_tag(reference)) return call.refuse(Code::TagInvalid, "invalid tag");
  const auto named = by_digest ? spec::Digest::parse(reference) : Result<spec::Digest>(spec::Digest());
  if (!named.ok()) return call.refuse(Code::DigestInvalid, named.error().message());
  auto body = call.http.read_body(kMostManifest);
  if (!body.ok() && body.error().kind() == Kind::Exhausted) return call.refuse(Code::ManifestTooLarge);
  const std::string bytes = TRY(std::move(body));
  call.registry.metrics().received += bytes.size();
  const auto digest = digest_of(bytes, by_digest ? named->algorithm() : "sha256");
  if (by_digest && digest != *named) return call.refuse(Code::DigestInvalid);
  const auto facts = read_manifest(bytes, call.http.fields().get("Content-Type"));
  if (!facts.ok()) return call.refuse(Code::ManifestInvalid, facts.error().message());
  const auto stored = call.registry.repositories().put_manifest(call.name(), by_digest ? "" : reference,
                                                                digest, bytes, *facts);
  if (!stored.ok() && stored.error().kind() == Kind::NotFound)
    return call.refuse(Code::ManifestBlobUnknown, {}, json::Object{{"digest", stored.error().message()}});
  TRY(stored);
  call.header("Location", fmt::format("/v2/{}/manifests/{}", call.name(), digest.to_string()));
  call.header("Docker-Content-Digest", digest.to_string());
  if (facts->subject) call.header("OCI-Subject", facts->subject->to_string());
  return call.answer(201);
}

Result<void> delete_manifest(Call& call) {
  auto& repositories = call.registry.repositories();
  const auto& reference = call.route.reference;
  const auto remove = [&]() -> Result<void> {
    if (is_digest(reference))
      return repositories.remove_manifest(call.name(), TRY(spec::Digest::parse(reference)));
    if (!spec::is_tag(reference)) return fail(Kind::NotFound, "{} is no tag", quote(reference));
    return repositories.remove_tag(call.name(), reference);
  };
  const auto removed = remove();
  if (removed.ok()) return call.answer(202);
  if (removed.error().kind() == Kind::NotFound) return refuse_unknown(call);
  if (removed.error().kind() == Kind::InvalidArgument)
    return call.refuse(Code::DigestInvalid, removed.error().message());
  return removed;
}

}  // namespace skiff::registry::server
