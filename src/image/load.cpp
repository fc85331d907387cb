#include "image/load.h"

#include <algorithm>

#include "base/strings.h"
#include "base/undo.h"
#include "image/archive_reader.h"
#include "image/docker_manifest.h"
#include "spec/manifest.h"

namespace skiff::image {

namespace {

using spec::Digest;
using spec::Reference;

/// An index in an index in an index: more than anyone makes.
constexpr int kMostDepth = 4;

std::string blob_name(const Digest& digest) {
  return fmt::format("blobs/{}/{}", digest.algorithm(), digest.hex());
}

/// Names as an OCI layout gives them: containerd's annotation has the whole name; OCI's own is often a tag
/// alone, which is no name.
std::optional<Reference> name_of(const spec::oci::Descriptor& descriptor) {
  for (const char* key : {"io.containerd.image.name", "org.opencontainers.image.ref.name"}) {
    const auto found = descriptor.annotations.find(key);
    if (found == descriptor.annotations.end() || found->second.find_first_of("/:") == std::string::npos)
      continue;
    if (auto name = Reference::parse_tagged(found->second); name && !name->tag().empty()) return *name;
  }
  return std::nullopt;
}

class Loader {
 public:
  Loader(Store& store, ArchiveReader& archive, const std::optional<spec::Platform>& platform,
         const LoadListener& listener)
      : store_(store), archive_(archive), platform_(platform), listener_(listener) {}

  Result<void> run() {
    if (archive_.has("manifest.json")) return docker_archive();
    if (archive_.has("index.json")) return layout();
    return Error(Kind::InvalidArgument,
                 "invalid archive: neither manifest.json nor index.json is in it, so it holds no images");
  }

 private:
  struct Found {
    Image image;
    std::vector<Reference> names;
  };

  Result<void> docker_archive();
  Result<void> layout();
  Result<void> descriptor(const spec::oci::Descriptor& from, const std::optional<Reference>& name, int depth);
  Result<void> image(const std::string& config, const std::vector<std::string>& layers,
                     std::vector<Reference> names);
  Result<Image> make(const std::string& config, const std::vector<std::string>& layers);
  Result<std::vector<Layer>> layers_here(const std::vector<Digest>& diff_ids,
                                         const std::vector<Digest>& chains);
  Result<Layer> layer(const std::string& name, const Digest& diff_id, const std::string& parent,
                      UndoStack& undo);
  Result<void> announce();
  Result<std::string> blob(const Digest& digest);

  Store& store_;
  ArchiveReader& archive_;
  const std::optional<spec::Platform>& platform_;
  const LoadListener& listener_;
  std::vector<Found> found_;
  UndoStack made_;  ///< images that were not there before
  /// On the images until they have their names, and on the layers that they are made of. They end before what
  /// was made is taken back.
  std::vector<std::shared_ptr<const void>> holds_;
};

Result<void> Loader::docker_archive() {
  const std::string text = TRY(archive_.document("manifest.json"));
  for (const auto& manifest : TRY_CONTEXT(parse_docker_manifests(text), "manifest.json")) {
    std::vector<Reference> names;
    for (const auto& tag : manifest.repo_tags) {
      auto name = TRY(Reference::parse(tag));
      if (name.tag().empty()) return fail(Kind::InvalidArgument, "invalid tag {}", quote(tag));
      names.push_back(std::move(name));
    }
    TRY(image(TRY(archive_.document(manifest.config)), manifest.layers, std::move(names)));
  }
  return announce();
}

Result<void> Loader::layout() {
  const std::string text = TRY(archive_.document("index.json"));
  const auto index = TRY_CONTEXT(json::decode<spec::oci::Index>(text), "index.json");
  for (const auto& entry : index.manifests) TRY(descriptor(entry, name_of(entry), 0));
  return announce();
}

Result<std::string> Loader::blob(const Digest& digest) {
  std::string bytes = TRY(archive_.document(blob_name(digest)));
  if (Digest::of(bytes) != digest)
    return fail(Kind::InvalidArgument, "invalid archive: {} has the digest {}", blob_name(digest),
                Digest::of(bytes).to_string());
  return bytes;
}

Result<void> Loader::descriptor(const spec::oci::Descriptor& from, const std::optional<Reference>& name,
                                int depth) {
  if (depth > kMostDepth) return Error(Kind::InvalidArgument, "invalid archive: indexes without end");
  const std::string text = TRY(blob(from.digest));
  const auto document = TRY(spec::oci::parse_document(text, from.media_type));
  if (const auto* index = std::get_if<spec::oci::Index>(&document)) {
    const auto& wanted = platform_ ? *platform_ : spec::Platform::host();
    const auto* best = spec::oci::choose(*index, wanted);
    if (!best)
      return fail(Kind::NotFound, "no image for {} in the archive, only for {}", wanted.to_string(),
                  join(spec::oci::platforms_of(*index), ", "));
    return descriptor(*best, name, depth + 1);
  }
  const auto& manifest = std::get<spec::oci::Manifest>(document);
  std::vector<std::string> layers;
  for (const auto& layer : manifest.layers) layers.push_back(blob_name(layer.digest));
  std::vector<Reference> names;
  if (name) names.push_back(*name);
  return image(TRY(blob(manifest.config.digest)), layers, std::move(names));
}

Result<void> Loader::image(const std::string& config, const std::vector<std::string>& layers,
                           std::vector<Reference> names) {
  Image made = TRY(make(config, layers));
  const auto known = std::find_if(found_.begin(), found_.end(),
                                  [&](const Found& found) { return found.image.id == made.id; });
  Found& found = known == found_.end() ? found_.emplace_back(Found{std::move(made), {}}) : *known;
  for (auto& name : names) found.names.push_back(std::move(name));
  return {};
}

Result<Image> Loader::make(const std::string& config, const std::vector<std::string>& layers) {
  const auto image = TRY_CONTEXT(json::decode<spec::oci::Image>(config), "invalid image configuration");
  const auto& diff_ids = image.rootfs.diff_ids;
  if (layers.size() != diff_ids.size())
    return fail(Kind::InvalidArgument, "invalid manifest, layers length mismatch: expected {}, got {}",
                layers.size(), diff_ids.size());
  if (platform_ && !platform_->accepts(image.platform))
    return fail(Kind::NotFound, "the image is for {}, and {} is wanted", image.platform.to_string(),
                platform_->to_string());
  const auto chains = spec::oci::chain_ids(diff_ids);
  std::vector<Layer> made = TRY(layers_here(diff_ids, chains));
  // From the top down, as layers can go. Those of an image stay: of this one, or, when it was here already,
  // of another.
  UndoStack undo;
  for (std::size_t i = made.size(); i < layers.size(); ++i)
    made.push_back(TRY(layer(layers[i], diff_ids[i], made.empty() ? "" : made.back().snapshot, undo)));
  const auto id = Digest::of(config);
  holds_.push_back(store_.hold(id));
  const bool known = store_.id_of(id.to_string()).ok();
  if (listener_.found) TRY(listener_.found(id, known));
  Image result = TRY(store_.create_from(config, made, ""));
  if (!known) made_.add([this, id] { store_.take_back(id); });
  return result;
}

/// The layers that need not come from the archive: those below the topmost one that is here.
Result<std::vector<Layer>> Loader::layers_here(const std::vector<Digest>& diff_ids,
                                               const std::vector<Digest>& chains) {
  std::vector<Layer> layers;
  for (std::size_t i = chains.size(); i-- > 0;) {
    const auto top = TRY(store_.snapshots().find_chain(chains[i]));
    if (!top) continue;
    holds_.push_back(store_.hold_layers({*top}));
    if (const auto info = store_.snapshots().info(*top); !info.ok()) {
      if (info.error().kind() != Kind::NotFound) return info.error();
      ++i;  // it went just before it was held; another may be the same
      continue;
    }
    layers.resize(i + 1);
    std::string key = *top;
    for (std::size_t j = i + 1; j-- > 0;) {
      const auto info = TRY(store_.snapshots().info(key));
      layers[j] = {diff_ids[j], key, info.bytes, archive_.tar_bytes(diff_ids[j])};
      key = info.parent;
    }
    break;
  }
  return layers;
}

Result<Layer> Loader::layer(const std::string& name, const Digest& diff_id, const std::string& parent,
                            UndoStack& undo) {
  Layer layer = TRY(archive_.layer(name, diff_id, parent));
  undo.add([this, snapshot = layer.snapshot] { store_.drop_layer(snapshot); });
  if (listener_.unpacked) listener_.unpacked(layer, name);
  return layer;
}

/// Names are given when all images are made: an archive is loaded as a whole or not at all.
Result<void> Loader::announce() {
  made_.dismiss();
  const bool named =
      std::any_of(found_.begin(), found_.end(), [](const Found& found) { return !found.names.empty(); });
  for (const auto& found : found_) {
    for (const auto& name : found.names) {
      const auto before = store_.id_of(name.to_string());
      if (before && *before != found.image.id && listener_.renamed) listener_.renamed(name, *before);
      TRY(store_.tag(found.image.id, name));
      if (listener_.loaded) listener_.loaded(found.image, name);
    }
    if (!named && listener_.loaded) listener_.loaded(found.image, std::nullopt);
  }
  return {};
}

}  // namespace

Result<void> load(Store& store, const sys::Fd& tar, const std::optional<spec::Platform>& platform,
                  const LoadListener& listener) {
  const auto archive = TRY(ArchiveReader::read(store, tar, listener.reading));
  return Loader(store, *archive, platform, listener).run();
}

}  // namespace skiff::image
