#include "build/service.h"

#include <set>

#include "archive/diff.h"
#include "base/log.h"
#include "base/strings.h"
#include "build/builder.h"
#include "build/frontend/compile.h"
#include "build/frontend/parser.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::build {
namespace {

constexpr std::size_t kDockerfileLimit = 16 << 20;

/// The images that are here, and those that the request lets us bring here, as far as the policy takes them.
class StoredImages : public BaseImages {
 public:
  StoredImages(image::Store& images, image::Trust& trust, const Request& request)
      : images_(images), trust_(trust), request_(request) {}

  Result<BaseImage> resolve(const std::string& name, const std::string& platform) override {
    std::optional<spec::Platform> wanted;
    if (const std::string& text = platform.empty() ? request_.platform : platform; !text.empty())
      wanted = TRY(spec::Platform::parse(text));
    auto image = images_.resolve(name);
    const bool fits = image.ok() && (!wanted || wanted->accepts(image->config.platform));
    const auto reference = spec::Reference::parse_tagged(name);
    if ((!fits || request_.pull) && request_.fetch && reference.ok()) {
      TRY(request_.fetch(*reference, wanted));
      image = images_.resolve(name);
    }
    if (!image.ok()) return image.error();
    holds_.push_back(images_.hold(image->id));
    image = TRY(images_.resolve(image->id.to_string()));
    TRY(trust_.check_use(*image));
    // Steps are known again by what they stand on.
    TRY(images_.make_whole(image->snapshot));
    images_.used(image->id);
    return BaseImage{image->id.to_string(), image->snapshot, std::move(image->config)};
  }

 private:
  image::Store& images_;
  image::Trust& trust_;
  const Request& request_;
  std::vector<std::shared_ptr<const void>> holds_;  ///< on all bases, until the build ends
};

bool leads_out(std::string_view path) { return sys::clean_path(path).starts_with(".."); }

Result<std::string> read_dockerfile(const sys::Fd& context, const std::string& name) {
  if (leads_out(name))
    return fail(Kind::InvalidArgument, "forbidden path outside the build context: {} ()", name);
  const auto file = sys::open_in_root(context, name, O_RDONLY | O_NONBLOCK);
  if (!file.ok() && file.error().kind() == Kind::NotFound)
    return fail(Kind::InvalidArgument, "Cannot locate specified Dockerfile: {}", name);
  if (!file.ok()) return file.error();
  struct stat status = {};
  if (fstat(file->get(), &status) != 0 || !S_ISREG(status.st_mode))
    return fail(Kind::InvalidArgument, "failed to read dockerfile: {} is not a file", name);
  return TRY_CONTEXT(sys::read_all(*file, kDockerfileLimit), "{}", name);
}

Result<IgnoreRules> read_ignore(const sys::Fd& context) {
  const auto file = sys::open_in_root(context, ".dockerignore", O_RDONLY | O_NONBLOCK);
  if (!file.ok()) {
    if (file.error().kind() == Kind::NotFound) return IgnoreRules();
    return file.error();
  }
  return IgnoreRules::parse(
      TRY_CONTEXT(sys::read_all(*file, kDockerfileLimit), "error reading .dockerignore"));
}

class BuildService : public Service {
 public:
  explicit BuildService(Parts parts)
      : parts_(parts),
        cache_(parts.database, parts.images.snapshots()),
        digester_([this](const std::string& snapshot) { return compute_facts(snapshot); }),
        executor_(parts.config, parts.runner, parts.networks, exits_) {}

  Result<void> open() {
    TRY(executor_.open());
    return remove_leftovers();
  }

  Result<std::string> build(Request request, Progress& progress,
                            const std::atomic<bool>& cancelled) override {
    std::vector<spec::Reference> tags;
    for (const std::string& tag : request.tags) tags.push_back(TRY(spec::Reference::parse_tagged(tag)));
    const std::string name = request.dockerfile.empty() ? "Dockerfile" : request.dockerfile;
    const Dockerfile file = TRY(parse_dockerfile(TRY(read_dockerfile(request.context, name)), name));
    const IgnoreRules ignore = TRY(read_ignore(request.context));
    const CompileOptions options{request.build_arguments, request.labels,      request.target,
                                 request.network_mode,    request.extra_hosts, request.limits};
    StoredImages images(parts_.images, parts_.trust, request);
    Graph graph = TRY(compile(file, options, images));

    const Running running(*this);
    Workshop workshop{parts_.images.snapshots(), cache_, digester_, &executor_, request.context, ignore,
                      parts_.config.layer_limits};
    Builder builder(std::move(graph), workshop, solver_, parts_.images, request, progress);
    const std::string id = TRY(builder.run(cancelled));
    TRY(finish(request, progress, id, tags));
    return id;
  }

  Result<CacheUsage> cache_usage() override {
    const Cache::Usage usage = TRY(cache_.usage(TRY(layers_of_images())));
    return CacheUsage{usage.entries, usage.bytes};
  }

  /// Held throughout, the lock keeps builds from beginning: none finds a step whose layer is about to go.
  Result<PrunedCache> prune_cache(bool all, std::optional<Time> until) override {
    const MutexLock lock(mutex_);
    if (running_ > 0)
      return Error(Kind::Conflict, "a build is running: its cache can be pruned once it has ended");
    // Other images may come to have a layer meanwhile, though no build makes them.
    const auto remove = [&](const std::string& snapshot) { return parts_.images.remove_layer(snapshot); };
    Cache::Pruned pruned = TRY(cache_.prune(TRY(layers_of_images()), all, until, remove));
    return PrunedCache{std::move(pruned.keys), pruned.bytes};
  }

  bool handle(const runner::Event& event) override { return exits_.handle(event); }

 private:
  /// Counts a build that is under way. What it finds in the cache stays, though images that have it go.
  class Running {
   public:
    explicit Running(BuildService& service)
        : service_(service), steps_(service.parts_.images.hold_layers_of(std::string(kSnapshotPrefix))) {
      const MutexLock lock(service_.mutex_);
      ++service_.running_;
    }
    ~Running() {
      const MutexLock lock(service_.mutex_);
      --service_.running_;
    }

   private:
    BuildService& service_;
    std::shared_ptr<const void> steps_;
  };

  Result<void> finish(const Request& request, Progress& progress, const std::string& id,
                      const std::vector<spec::Reference>& tags) {
    const spec::Digest digest = TRY(spec::Digest::parse(id));
    if (request.quiet)
      progress.stream(id + "\n");
    else
      progress.stream(fmt::format("Successfully built {}\n", digest.short_hex()));
    for (const spec::Reference& tag : tags) {
      TRY(parts_.images.tag(digest, tag));
      if (!request.quiet) progress.stream(fmt::format("Successfully tagged {}\n", tag.familiar()));
    }
    return {};
  }

  /// The snapshots that images are made of.
  Result<std::set<std::string>> layers_of_images() {
    std::set<std::string> snapshots;
    for (const image::Image& image : TRY(parts_.images.list()))
      for (const image::Layer& layer : image.layers) snapshots.insert(layer.snapshot);
    return snapshots;
  }

  Result<LayerFacts> compute_facts(const std::string& snapshot) {
    if (auto known = TRY(cache_.facts(snapshot))) return *std::move(known);
    const sys::Fd layer = TRY(sys::open_directory(TRY(parts_.images.snapshots().layer_directory(snapshot))));
    const archive::Diff diff = TRY(archive::diff(layer));
    const LayerFacts facts{diff.diff_id, diff.bytes, diff.tar_bytes};
    TRY(cache_.store_facts(snapshot, facts));
    return facts;
  }

  /// Half-made snapshots of a daemon that died, and layers that it did not come to write down.
  Result<void> remove_leftovers() {
    std::set<std::string> known = TRY(cache_.snapshots());
    known.merge(TRY(layers_of_images()));
    for (const snapshot::Info& info : TRY(parts_.images.snapshots().list())) {
      if (!info.key.starts_with(kSnapshotPrefix)) continue;
      if (info.state == snapshot::State::Committed && known.contains(info.key)) continue;
      const auto removed = parts_.images.snapshots().remove(info.key);
      if (!removed.ok() && removed.error().kind() != Kind::Conflict)
        log::warning("build: remove snapshot {}: {}", info.key, removed.error().message());
    }
    return {};
  }

  Parts parts_;
  Cache cache_;
  Digester digester_;
  Exits exits_;
  Executor executor_;
  Solver solver_;
  Mutex mutex_;
  int running_ GUARDED_BY(mutex_) = 0;
};

}  // namespace

Result<std::unique_ptr<Service>> Service::open(Parts parts) {
  auto service = std::make_unique<BuildService>(parts);
  TRY(service->open());
  return std::unique_ptr<Service>(std::move(service));
}

}  // namespace skiff::build
