#include "image/bootstrap.h"

#include <fcntl.h>
#include <zstd.h>

#include "archive/diff.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/undo.h"
#include "image/bootstrap/apt_sources.h"
#include "image/bootstrap/rootfs.h"
#include "image/bootstrap/tool.h"
#include "image/import.h"
#include "spec/platform.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::image {

namespace {

/// Counts up whenever finish_rootfs() or the image's config changes: then earlier results are no more the
/// same.
constexpr int kRecipe = 1;
constexpr std::string_view kSlim = "-slim";
constexpr int kCompressionLevel = 3;

/// What is to be made, and of what.
struct Plan {
  spec::Reference name;
  std::string distribution;
  std::string suite;
  bool slim = false;
  BootstrapTool tool;
  std::vector<AptSource> sources;
  std::int64_t epoch = 0;
  std::string key;  ///< names the whole input
};

/// Compresses a stream into a file that appears when it is whole.
class ZstdFile {
 public:
  static Result<std::unique_ptr<ZstdFile>> create(const std::string& path) {
    auto file = TRY(sys::open_file(path, O_WRONLY | O_CREAT | O_TRUNC));
    return std::unique_ptr<ZstdFile>(new ZstdFile(std::move(file)));
  }
  Result<void> write(std::string_view bytes) { return push(bytes, ZSTD_e_continue); }
  Result<void> finish() { return push({}, ZSTD_e_end); }

 private:
  explicit ZstdFile(sys::Fd file) : file_(std::move(file)), stream_(ZSTD_createCCtx(), ZSTD_freeCCtx) {
    ZSTD_CCtx_setParameter(stream_.get(), ZSTD_c_compressionLevel, kCompressionLevel);
  }
  Result<void> push(std::string_view bytes, ZSTD_EndDirective directive) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (;;) {
      ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
      const std::size_t left = ZSTD_compressStream2(stream_.get(), &out, &in, directive);
      if (ZSTD_isError(left)) return fail(Kind::Internal, "zstd: {}", ZSTD_getErrorName(left));
      if (out.pos > 0) TRY(sys::write_all(file_, {buffer_.data(), out.pos}));
      if (directive == ZSTD_e_end ? left == 0 : in.pos == in.size) return {};
    }
  }

  sys::Fd file_;
  std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> stream_;
  std::string buffer_ = std::string(256 << 10, '\0');
};

void tell(const BootstrapRequest& request, std::string_view line) {
  if (request.progress) request.progress(line);
}

Result<Plan> read_request(const BootstrapRequest& request) {
  Plan plan;
  plan.name = TRY(spec::Reference::parse_tagged(request.reference));
  plan.distribution = std::string(sys::base_name(plan.name.path()));
  std::string suite = plan.name.tag();
  if (suite.ends_with(kSlim)) {
    plan.slim = true;
    suite.erase(suite.size() - kSlim.size());
  }
  plan.suite = suite == "latest" ? "stable" : suite;
  if (plan.suite.empty())
    return fail(Kind::InvalidArgument, "the tag of {} names no suite; say for example debian:bookworm",
                request.reference);
  return plan;
}

/// Looks at the mirror: which suites there are, how old they are, and with that what the result will be.
Result<void> look_at_mirror(Plan& plan, const BootstrapRequest& request, const std::string& work) {
  const auto host = TRY(read_apt_sources("/etc/apt"));
  auto wanted = sources_for(host, plan.distribution, plan.suite, request.mirror);
  if (wanted.empty()) {
    return fail(Kind::Unsupported,
                "the apt configuration of this host has no mirror for {}; name one with --mirror",
                plan.distribution);
  }
  std::string input = fmt::format("{} {} {} {} {}\n", kRecipe, plan.suite, plan.slim ? "slim" : "full",
                                  spec::Platform::host().to_string(), plan.tool.version);
  for (auto& source : wanted) {
    tell(request, fmt::format("Looking at {} {}", source.uri, source.suite));
    auto release = fetch_release(source, work);
    if (!release) {
      // Updates and security exist for released suites only.
      if (!plan.sources.empty() && release.error().kind() == Kind::NotFound) continue;
      return release.error();
    }
    plan.epoch = std::max(plan.epoch, release->date);
    input += fmt::format("{} {}\n", source.line(), release->digest);
    plan.sources.push_back(std::move(source));
  }
  if (plan.epoch == 0) return fail(Kind::Unavailable, "the Release file of {} has no date", plan.suite);
  plan.key = std::string(spec::Digest::of(input).hex().substr(0, 32));
  return {};
}

spec::oci::Image config_of(const Plan& plan) {
  spec::oci::Image config;
  config.created = Time(std::chrono::seconds(plan.epoch));
  config.platform = spec::Platform::host();
  config.config.env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
  config.config.cmd = {"bash"};
  return config;
}

std::string created_by(const Plan& plan) {
  return fmt::format("# skiff image bootstrap {} ({})", plan.name.familiar(), plan.sources.front().uri);
}

spec::oci::History history_of(const Plan& plan, const spec::oci::Image& config) {
  spec::oci::History history;
  history.created = config.created;
  history.created_by = created_by(plan);
  return history;
}

/// Installs into a snapshot of its own, which becomes the image's only layer; a compressed copy goes into the
/// cache.
Result<Image> make_image(Store& store, const Plan& plan, const BootstrapRequest& request,
                         const std::string& cached) {
  auto& snapshots = store.snapshots();
  const std::string active = "bootstrap-" + random_hex(8);
  TRY(snapshots.prepare(active, ""));
  std::string key = active;
  UndoStack undo;
  undo.add([&] { store.drop_layer(key); });  // unless the image has it
  const std::string root = TRY(snapshots.layer_directory(active));
  ToolRun run{plan.suite, plan.sources, root, plan.epoch, plan.slim, request.progress, request.cancelled};
  TRY(run_bootstrap_tool(plan.tool, run));
  tell(request, "Removing what belongs to this machine");
  TRY(finish_rootfs(root, plan.sources, plan.slim));
  TRY(clamp_times(root, static_cast<std::time_t>(plan.epoch)));
  if (::chmod(root.c_str(), 0755) != 0) return fail_errno("chmod {}", root);

  tell(request, "Storing the layer");
  Layer layer;
  layer.snapshot = "layer-" + random_hex(12);
  {
    auto copy = TRY(ZstdFile::create(cached + ".part"));
    const auto diff = TRY(archive::diff(TRY(sys::open_directory(root)),
                                        [&](std::string_view bytes) { return copy->write(bytes); }));
    TRY(copy->finish());
    layer.diff_id = diff.diff_id;
    layer.bytes = diff.bytes;
    layer.tar_bytes = diff.tar_bytes;
  }
  TRY(snapshots.commit(active, layer.snapshot));
  key = layer.snapshot;
  auto config = config_of(plan);
  config.rootfs.diff_ids = {layer.diff_id};
  config.history = {history_of(plan, config)};
  auto image = TRY(store.create(config, {layer}, ""));
  if (::rename((cached + ".part").c_str(), cached.c_str()) != 0) return fail_errno("rename {}", cached);
  return image;
}

}  // namespace

Result<Image> bootstrap(Store& store, const BootstrapRequest& request) {
  Plan plan = TRY(read_request(request));
  plan.tool = TRY(find_bootstrap_tool());
  TRY(sys::make_directories(request.cache_directory, 0700));
  const std::string work = request.cache_directory + "/work-" + random_hex(6);
  TRY(sys::make_directories(work, 0700));
  UndoStack undo;
  undo.add([&] { (void)sys::remove_tree(work); });
  TRY_CONTEXT(look_at_mirror(plan, request, work), "bootstrap {}", plan.name.familiar());
  const std::string cached = fmt::format("{}/{}-{}{}.tar.zst", request.cache_directory, plan.key, plan.suite,
                                         plan.slim ? kSlim : "");
  Image image;
  if (!request.no_cache && sys::exists(cached)) {
    tell(request, "Using the result of an earlier run");
    const std::string known = cached + ".id";
    auto id = sys::read_file(known, 256);
    auto found = id ? store.resolve(*id) : Result<Image>(id.error());
    if (found) {
      image = *std::move(found);
    } else {
      const sys::Fd tar = TRY(sys::open_file(cached, O_RDONLY));
      const auto config = config_of(plan);
      image = TRY(import_rootfs(store, tar, config, history_of(plan, config), {}));
    }
  } else {
    image = TRY_CONTEXT(make_image(store, plan, request, cached), "bootstrap {}", plan.name.familiar());
  }
  TRY(sys::replace_file(cached + ".id", image.id.to_string()));
  TRY(store.tag(image.id, plan.name));
  return store.resolve(image.id.to_string());
}

}  // namespace skiff::image
