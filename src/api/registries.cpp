#include "api/routes.h"
#include "api/transfer.h"
#include "base/strings.h"
#include "registry/client/refusal.h"

namespace skiff::api {

registry::Credentials credentials_of(const Call& call) {
  return engine::credentials_of(spec::docker::decode_auth(call.http.fields().get("X-Registry-Auth")));
}

Result<void> conclude(Call& call, Result<void> done) {
  if (done.ok() || call.http.answered()) return done;
  const Error& error = done.error();
  // Two that have a status of their own in Docker's answers, and in no others.
  const int status = registry::is_unauthorized(error) ? 401 : registry::is_too_many_requests(error) ? 429 : 0;
  if (status != 0)
    return call.http.send(status, json::encode(spec::docker::ErrorResponse{error.message()}) + "\n");
  const bool is_of_registry = error.kind() == Kind::Unavailable || error.kind() == Kind::Forbidden;
  if (is_of_registry) return Error(Kind::Internal, error.message());
  return done;
}

namespace {

/// The name as Docker reads the parameters: without any tag all are meant.
Result<spec::Reference> reference_of(const std::string& name, const std::string& tag) {
  if (tag.empty()) return spec::Reference::parse(name);
  return spec::reference_from_parts(name, tag);
}

/// "linux/arm64", or the JSON of a platform that POST /images/{name}/push takes.
Result<std::optional<spec::Platform>> platform_of(const Call& call) {
  const std::string& text = call.query.get("platform");
  if (text.empty()) return std::optional<spec::Platform>();
  return std::optional(TRY(spec::Platform::parse(text)));
}

/// Ours: how layers are to be compressed.
Result<std::optional<archive::Compression>> compression_of(const Call& call) {
  const std::string& text = call.query.get("compression");
  if (text.empty()) return std::optional<archive::Compression>();
  if (text == "gzip") return std::optional(archive::Compression::Gzip);
  if (text == "zstd") return std::optional(archive::Compression::Zstd);
  return fail(Kind::InvalidArgument, "invalid compression {}: layers are pushed as gzip or zstd",
              quote(text));
}

}  // namespace

Result<void> image_create(Call& call) {
  if (call.query.get("fromImage").empty()) return image_import(call);
  image::PullRequest request;
  request.reference = TRY(reference_of(call.query.get("fromImage"), call.query.get("tag")));
  request.platform = TRY(platform_of(call));
  request.credentials = credentials_of(call);
  request.lazy = call.query.boolean("lazy");
  const auto stop = call.http.stop_token();
  TransferLines lines(call);
  return conclude(call, lines.run([&](image::Progress& progress) {
    return call.engine.registries.pull(request, progress, stop);
  }));
}

Result<void> image_push(Call& call) {
  image::PushRequest request;
  request.reference = TRY(reference_of(call.name(), call.query.get("tag")));
  if (request.reference.digest()) return Error(Kind::InvalidArgument, "cannot push a digest reference");
  if (const std::string& platform = call.query.get("platform"); !platform.empty())
    request.platform = TRY_CONTEXT(json::decode<spec::Platform>(platform), "failed to parse platform");
  request.compression = TRY(compression_of(call));
  request.credentials = credentials_of(call);
  const auto stop = call.http.stop_token();
  TransferLines lines(call);
  return conclude(call, lines.run([&](image::Progress& progress) {
    return call.engine.registries.push(request, progress, stop);
  }));
}

Result<void> auth(Call& call) {
  const auto config = TRY(read_json<spec::docker::AuthConfig>(call));
  const auto answered = call.engine.registries.log_in(config, call.http.stop_token());
  if (!answered.ok()) return conclude(call, answered.error());
  return answer(call, 200, *answered);
}

Result<void> image_search(Call& call) {
  const auto limit = call.query.integer("limit");
  if (!limit.ok()) return fail(Kind::InvalidArgument, "invalid limit specified: {}", limit.error().message());
  if (limit->value_or(0) < 0) return Error(Kind::InvalidArgument, "invalid limit specified");
  const auto filters = TRY(filters_of(call));
  const auto found = call.engine.registries.search(call.query.get("term"), *limit, filters,
                                                   credentials_of(call), call.http.stop_token());
  if (!found.ok()) return conclude(call, found.error());
  return answer(call, 200, *found);
}

Result<void> distribution_inspect(Call& call) {
  const auto reference = TRY(spec::Reference::parse_tagged(call.name()));
  const auto found = call.engine.registries.inspect(reference, credentials_of(call), call.http.stop_token());
  if (!found.ok()) return conclude(call, found.error());
  return answer(call, 200, *found);
}

}  // namespace skiff::api
