#include "build/ops/ops.h"

#include "archive/tree.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/strings.h"
#include "build/ops/copy.h"
#include "build/ops/rootfs.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::build {
namespace {

std::string_view instruction_of(const CopyOperation& operation) { return operation.add ? "ADD" : "COPY"; }

Result<std::string> digest_copy(const CopyOperation& operation, const FileTree& tree,
                                const std::vector<FoundSource>& sources,
                                const std::vector<Download>& downloads) {
  std::vector<std::string> digests;
  for (const FoundSource& source : sources) digests.push_back(TRY(digest_source(tree, source)));
  for (const InlineFile& file : operation.files)
    digests.push_back("file:" + std::string(spec::Digest::of(file.name + "\n" + file.content).hex()));
  for (const Download& download : downloads) digests.push_back(download.digest);
  return combine_digests(digests);
}

/// The directories of VOLUME: a command's changes below them do not last.
class VolumeGuard {
 public:
  /// Makes those that are missing.
  static Result<VolumeGuard> open(const sys::Fd& root, const std::vector<std::string>& paths) {
    VolumeGuard guard;
    for (const std::string& path : paths) {
      const bool exists = sys::open_in_root(root, path, O_PATH | O_DIRECTORY).ok();
      if (!exists) TRY(sys::make_directories_in_root(root, path));
      guard.volumes_.emplace_back(path, exists);
    }
    return guard;
  }

  Result<void> discard(const std::string& layer_directory) const {
    if (volumes_.empty()) return {};
    const sys::Fd layer = TRY(sys::open_directory(layer_directory));
    for (const auto& [path, existed] : volumes_) {
      const std::string clean = sys::clean_path("/" + path);
      if (clean == "/") continue;
      const auto parent =
          archive::open_directory_below(layer, sys::dir_name(clean).substr(1), archive::Escape::Refuse);
      if (!parent.ok()) continue;  // untouched
      const std::string name(sys::base_name(clean));
      if (existed) {
        TRY(archive::remove_entry(*parent, name));
        continue;
      }
      const auto volume = archive::open_entry(*parent, name, O_RDONLY | O_DIRECTORY);
      if (!volume.ok()) continue;
      for (const std::string& child : TRY(archive::entries_of(*volume)))
        TRY(archive::remove_entry(*volume, child));
    }
    return {};
  }

 private:
  std::vector<std::pair<std::string, bool>> volumes_;
};

}  // namespace

class VertexOp::Layer {
 public:
  Layer(Workshop& workshop, const std::string& key, std::string base)
      : workshop_(workshop),
        base_(std::move(base)),
        active_(fmt::format("{}{}-{}", kSnapshotPrefix, key.substr(0, 16), random_hex(4))) {}
  ~Layer() {
    if (!prepared_) return;
    if (const auto removed = workshop_.snapshots.remove(active_); !removed.ok())
      log::warning("build: remove snapshot {}: {}", active_, removed.error().message());
  }
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;

  const std::string& base() const { return base_; }

  Result<void> prepare() {
    TRY(workshop_.snapshots.prepare(active_, base_));
    prepared_ = true;
    return {};
  }
  /// For one mounting. Nothing is synced until an image is made of the layer, which syncs all of it: a
  /// command that asks for it (dpkg does so for every package) would wait for nothing.
  Result<std::vector<spec::Mount>> mounts() {
    return workshop_.snapshots.mounts(active_, snapshot::Syncs::Ignored);
  }
  Result<std::string> directory() { return workshop_.snapshots.layer_directory(active_); }

  /// A layer with nothing in it is none: the outcome is the base itself.
  Result<Outcome> finish() {
    Outcome outcome{.snapshot = base_, .empty_layer = true, .created = now()};
    if (!prepared_ || TRY(sys::list_directory(TRY(directory()))).empty()) return outcome;
    outcome.snapshot = active_ + "-layer";
    outcome.empty_layer = false;
    TRY(workshop_.snapshots.commit(active_, outcome.snapshot));
    prepared_ = false;
    workshop_.digester.request(outcome.snapshot);
    return outcome;
  }

 private:
  Workshop& workshop_;
  std::string base_;
  std::string active_;
  bool prepared_ = false;
};

Result<std::string> VertexOp::key(const std::vector<std::string>& inputs) {
  if (const auto* operation = std::get_if<CopyOperation>(&operation_); operation && inputs.size() == 1) {
    const FileTree tree = workshop_.context_tree();
    sources_ = TRY(find_sources(tree, operation->sources, instruction_of(*operation)));
    downloads_.clear();
    for (const std::string& url : operation->urls)
      downloads_.push_back(
          TRY_CONTEXT(download(url, operation->destination.ends_with('/'), workshop_.context), "ADD failed"));
    content_ = TRY_CONTEXT(digest_copy(*operation, tree, sources_, downloads_), "{} failed",
                           instruction_of(*operation));
  }
  return vertex_key(operation_, inputs, content_);
}

Result<std::optional<Outcome>> VertexOp::cached(const std::string& key) {
  if (const auto* source = std::get_if<SourceOperation>(&operation_))
    return std::optional(Outcome{.snapshot = source->snapshot, .empty_layer = true});
  return workshop_.cache.find(key);
}

Result<Outcome> VertexOp::run(const std::string& key, const std::vector<Outcome>& inputs, Sink& sink,
                              const Cancellation& cancellation) {
  if (const auto* source = std::get_if<SourceOperation>(&operation_))
    return Outcome{.snapshot = source->snapshot, .empty_layer = true};
  Layer layer(workshop_, key, inputs[0].snapshot);
  Result<Outcome> outcome = fail(Kind::Internal, "unknown operation");
  if (const auto* exec = std::get_if<ExecOperation>(&operation_))
    outcome = execute(*exec, layer, sink, cancellation);
  else if (const auto* files = std::get_if<CopyOperation>(&operation_))
    outcome = copy(*files, inputs, layer, cancellation);
  else
    outcome = make_directory(std::get<DirectoryOperation>(operation_), layer);
  if (outcome.ok()) TRY(workshop_.cache.store(key, *outcome));
  return outcome;
}

Result<Outcome> VertexOp::execute(const ExecOperation& operation, Layer& layer, Sink& sink,
                                  const Cancellation& cancellation) {
  TRY(layer.prepare());
  VolumeGuard volumes;
  if (!operation.volumes.empty())
    volumes = TRY(VolumeGuard::open(TRY(open_rootfs(TRY(layer.mounts()))), operation.volumes));
  const int code =
      TRY(workshop_.executor->run(container_, operation, TRY(layer.mounts()), sink, cancellation));
  if (code != 0)
    return Error(
        Kind::InvalidArgument,
        fmt::format("The command '{}' returned a non-zero code: {}", join(operation.command, " "), code),
        code);
  TRY(volumes.discard(TRY(layer.directory())));
  return layer.finish();
}

Result<Outcome> VertexOp::copy(const CopyOperation& operation, const std::vector<Outcome>& inputs,
                               Layer& layer, const Cancellation& cancellation) {
  if (inputs.size() == 1) return copy_from(operation, workshop_.context_tree(), layer, cancellation);
  if (inputs[1].snapshot.empty())
    return fail(Kind::NotFound, "{} failed: stat {}: file does not exist", instruction_of(operation),
                operation.sources.empty() ? "" : operation.sources[0]);
  const sys::Fd root = TRY(open_rootfs(TRY(workshop_.snapshots.mounts(inputs[1].snapshot))));
  const FileTree tree{root};
  sources_ = TRY(find_sources(tree, operation.sources, instruction_of(operation)));
  content_ = TRY(digest_copy(operation, tree, sources_, downloads_));
  return copy_from(operation, tree, layer, cancellation);
}

Result<Outcome> VertexOp::copy_from(const CopyOperation& operation, const FileTree& tree, Layer& layer,
                                    const Cancellation& cancellation) {
  {
    TRY(layer.prepare());
    const sys::Fd root = TRY(open_rootfs(TRY(layer.mounts())));
    TRY(Copier(tree, root, operation, workshop_.limits, cancellation).run(sources_, downloads_));
  }
  Outcome outcome = TRY(layer.finish());
  outcome.detail = content_;
  return outcome;
}

Result<Outcome> VertexOp::make_directory(const DirectoryOperation& operation, Layer& layer) {
  if (!layer.base().empty()) {
    const sys::Fd view = TRY(open_rootfs(TRY(workshop_.snapshots.mounts(layer.base()))));
    if (sys::open_in_root(view, operation.path, O_PATH | O_DIRECTORY).ok()) return layer.finish();
  }
  {
    TRY(layer.prepare());
    const sys::Fd root = TRY(open_rootfs(TRY(layer.mounts())));
    auto made = sys::make_directories_in_root(root, operation.path);
    if (!made.ok() && sys::open_in_root(root, operation.path, O_PATH).ok())
      return fail(Kind::InvalidArgument, "Cannot mkdir: {} is not a directory", operation.path);
    TRY_CONTEXT(std::move(made), "WORKDIR {}", operation.path);
  }
  return layer.finish();
}

}  // namespace skiff::build
