#include "api/routes.h"
#include "base/base64.h"

namespace skiff::api {
namespace {

Result<std::string> path_of(const Call& call) {
  const auto& path = call.query.get("path");
  if (path.empty()) return Error(Kind::InvalidArgument, "bad parameter: path cannot be empty");
  return path;
}

/// Puts the path's description into the answer's head, where clients look for it.
Result<void> add_stat(Call& call, const std::string& path) {
  const auto stat = TRY(call.engine.files.stat(call.name(), path));
  call.http.answer_fields().add("X-Docker-Container-Path-Stat", encode_base64(json::encode(stat)));
  return {};
}

}  // namespace

Result<void> archive_head(Call& call) {
  TRY(add_stat(call, TRY(path_of(call))));
  return answer_nothing(call, 200);
}

Result<void> archive_get(Call& call) {
  const auto path = TRY(path_of(call));
  TRY(add_stat(call, path));
  return stream_from(call, "application/x-tar",
                     [&](const sys::Fd& out) { return call.engine.files.get(call.name(), path, out); });
}

Result<void> archive_put(Call& call) {
  const auto path = TRY(path_of(call));
  engine::Files::PutOptions options;
  options.no_overwrite_dir_non_dir = call.query.boolean("noOverwriteDirNonDir");
  options.copy_owner = call.query.boolean("copyUIDGID");
  TRY(stream_into(call,
                  [&](const sys::Fd& in) { return call.engine.files.put(call.name(), path, in, options); }));
  return answer_nothing(call, 200);
}

}  // namespace skiff::api
