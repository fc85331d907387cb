#include <fcntl.h>
#include <unistd.h>

#include <set>

#include "api/progress.h"
#include "api/routes.h"
#include "api/transfer.h"
#include "base/strings.h"
#include "http/fetch.h"
#include "spec/docker/container.h"
#include "spec/reference.h"
#include "sys/file.h"

/// Images and containers' files as tars: save, load, import, export; and commit and diff, which are of the
/// same kind.
namespace skiff::api {
namespace {

constexpr std::string_view kTar = "application/x-tar";

Result<void> save(Call& call, const std::vector<std::string>& names,
                  const std::set<spec::Digest>& without = {}) {
  const auto platform = TRY(json_platform(call));
  const auto images = TRY(call.engine.archives.choose(names, platform));
  return stream_from(call, kTar,
                     [&](const sys::Fd& out) { return call.engine.archives.save(images, out, without); });
}

/// The name that "repo" and "tag" make; none without "repo".
Result<std::optional<spec::Reference>> target_name(const Call& call) {
  const auto& repository = call.query.get("repo");
  if (repository.empty()) return std::optional<spec::Reference>();
  auto name = TRY(spec::reference_from_parts(repository, call.query.get("tag"))).with_default_tag();
  if (name.digest()) return Error(Kind::InvalidArgument, "cannot import digest reference");
  return std::optional<spec::Reference>(std::move(name));
}

/// A file that has no name and goes when it is closed.
Result<sys::Fd> nameless_file(const Call& call) {
  return sys::open_file(engine::temporary_directory(call.config), O_RDWR | O_TMPFILE, 0600);
}

Result<std::string> import_from(Call& call, const std::string& source, LineProgress& progress,
                                const engine::Archives::Import& import) {
  std::string id;
  if (source == "-") {
    TRY(stream_into(call, [&](const sys::Fd& tar) -> Result<void> {
      id = TRY(call.engine.archives.import(tar, import));
      return {};
    }));
    return id;
  }
  // As Docker does: what has no scheme is looked for by http.
  const std::string url = source.find("://") == std::string::npos ? "http://" + source : source;
  const sys::Fd file = TRY(nameless_file(call));
  TRY(http::fetch(url, file, call.http.stop_token()));
  spec::docker::ProgressLine line;
  line.status = "Downloading from " + url;
  progress.line(line);
  if (::lseek(file.get(), 0, SEEK_SET) < 0) return fail_errno("seek");
  return call.engine.archives.import(file, import);
}

}  // namespace

Result<void> image_import(Call& call) {
  engine::Archives::Import import;
  import.name = TRY(target_name(call));
  import.message = call.query.get("message");
  import.changes = call.query.all("changes");
  if (const auto& platform = call.query.get("platform"); !platform.empty())
    import.platform = TRY(spec::Platform::parse(platform));
  const auto& source = call.query.get("fromSrc");
  if (import.message.empty()) import.message = "Imported from " + source;
  LineProgress progress(call);
  const auto id = import_from(call, source, progress, import);
  if (!id.ok()) {
    if (!progress.said_something()) return id.error();
    progress.fail(id.error());
    return {};
  }
  spec::docker::ProgressLine line;
  line.status = *id;
  progress.line(line);
  return {};
}

Result<void> image_get(Call& call) { return save(call, {call.name()}); }

Result<void> image_get_all(Call& call) { return save(call, call.query.all("names")); }

Result<void> image_save_without(Call& call) {
  const auto request = TRY(read_json<spec::docker::SaveRequest>(call, Body::Required));
  std::set<spec::Digest> without;
  for (const auto& diff_id : request.without) without.insert(TRY(spec::Digest::parse(diff_id)));
  return save(call, request.names, without);
}

Result<void> layers_known(Call& call) {
  const auto asked = TRY(read_json<spec::docker::LayerList>(call, Body::Required));
  return answer(call, 200, spec::docker::LayerList{TRY(call.engine.archives.known_layers(asked.diff_ids))});
}

Result<void> image_load(Call& call) {
  const auto platform = TRY(json_platform(call));
  const bool quiet = call.query.boolean("quiet");
  // A client may read its answer only when it has sent everything: nothing here waits for it.
  TransferLines lines(call);
  const auto loaded = lines.run([&](image::Progress& progress) {
    return stream_into(call, [&](const sys::Fd& tar) {
      return call.engine.archives.load(tar, platform, quiet,
                                       [&](const spec::docker::ProgressLine& line) { progress.line(line); });
    });
  });
  // Docker answers 200 before it looks at the archive, and its clients show such errors as they are.
  if (!loaded.ok()) LineProgress(call).fail(loaded.error());
  return call.http.answered() ? success() : call.http.send(200, "");
}

Result<void> container_export(Call& call) {
  TRY(call.engine.commits.find(call.name()));
  return stream_from(call, "application/octet-stream",
                     [&](const sys::Fd& out) { return call.engine.commits.export_root(call.name(), out); });
}

Result<void> container_changes(Call& call) {
  const auto changes = TRY(call.engine.commits.changes(call.name()));
  return changes.empty() ? answer_text(call, 200, "null") : answer(call, 200, changes);
}

Result<void> container_commit(Call& call) {
  engine::Commits::Commit commit;
  commit.name = TRY(target_name(call));
  commit.author = call.query.get("author");
  commit.comment = call.query.get("comment");
  commit.changes = call.query.all("changes");
  commit.pause = call.query.boolean("pause", true);
  const std::string body = TRY(read_json_text(call, Body::Optional));
  if (!body.empty() && trim(body) != "null")
    commit.config = TRY(json::decode<spec::docker::ContainerConfig>(body));
  spec::docker::IdResponse answered;
  answered.id = TRY(call.engine.commits.commit(call.query.get("container"), commit));
  return answer(call, 201, answered);
}

}  // namespace skiff::api
