#include "api/routes.h"
#include "api/transfer.h"
#include "base/base64.h"

/// Manifests in registries, for `skiff manifest`. Beyond Docker's API, whose clients ask registries
/// themselves.
namespace skiff::api {
namespace {

engine::RemoteManifests::Asking asking_of(const Call& call) {
  engine::RemoteManifests::Asking asking;
  asking.credentials = credentials_of(call);
  asking.insecure = call.query.boolean("insecure");
  return asking;
}

}  // namespace

Result<void> manifest_get(Call& call) {
  const auto reference = TRY(spec::Reference::parse_tagged(call.name()));
  const auto found = call.engine.manifests.fetch(reference, asking_of(call), call.http.stop_token());
  if (!found.ok()) return conclude(call, found.error());
  return answer(call, 200, *found);
}

Result<void> manifest_put(Call& call) {
  const auto reference = TRY(spec::Reference::parse_tagged(call.name()));
  const auto upload = TRY(read_json<spec::docker::ManifestUpload>(call, Body::Required));
  const auto bytes = decode_base64(upload.raw);
  if (!bytes) return Error(Kind::InvalidArgument, "invalid manifest: Raw is not base64");
  const auto digest = call.engine.manifests.put(reference, upload.media_type, *bytes, asking_of(call),
                                                call.http.stop_token());
  if (!digest.ok()) return conclude(call, digest.error());
  return answer(call, 201, spec::docker::ManifestUploaded{digest->to_string()});
}

Result<void> manifest_mount(Call& call) {
  const auto target = TRY(spec::Reference::parse_tagged(call.name()));
  const auto blob = TRY(spec::Digest::parse(call.query.get("digest")));
  // A repository of the same registry, without its host: "library/busybox".
  const auto from =
      TRY(spec::Reference::parse(fmt::format("{}/{}", target.domain(), call.query.get("from"))));
  const auto done =
      call.engine.manifests.mount(target, from.path(), blob, asking_of(call), call.http.stop_token());
  if (!done.ok()) return conclude(call, done.error());
  return answer_nothing(call, 201);
}

}  // namespace skiff::api
