#include "image/save.h"

#include <algorithm>
#include <map>

#include "archive/tar_writer.h"
#include "image/docker_manifest.h"
#include "sys/file.h"

namespace skiff::image {

namespace {

using archive::Entry;
using spec::Digest;
using spec::oci::Descriptor;

/// Something to be written as blobs/sha256/<hex>: bytes at hand, or a layer.
struct Blob {
  std::string bytes;
  const Layer* layer = nullptr;
  std::uint64_t size = 0;  ///< of the layer's tar
};

Descriptor descriptor(std::string_view media_type, const Digest& digest, std::uint64_t size) {
  Descriptor result;
  result.media_type = media_type;
  result.digest = digest;
  result.size = static_cast<std::int64_t>(size);
  return result;
}

std::string blob_name(const Digest& digest) { return "blobs/sha256/" + std::string(digest.hex()); }

class Saver {
 public:
  Saver(Store& store, const sys::Fd& out)
      : store_(store),
        out_(out),
        tar_([&out](std::string_view bytes) { return sys::write_all(out, bytes); }) {
    index_.media_type = spec::oci::kMediaTypeIndex;
  }

  Result<void> add(const Saved& saved);
  /// Everything but the layers of `without`.
  Result<void> write(const std::set<Digest>& without);

 private:
  Result<void> entry(const std::string& name, Entry::Type type, mode_t mode, std::uint64_t size);
  Result<void> file(const std::string& name, std::string_view bytes);
  Result<void> layer(const std::string& name, const Blob& blob);
  Digest keep(std::string bytes);

  Store& store_;
  const sys::Fd& out_;
  archive::TarWriter tar_;
  std::map<Digest, Blob> blobs_;
  spec::oci::Index index_;
  std::vector<DockerManifest> manifests_;
  std::map<std::string, std::map<std::string, std::string>> repositories_;
};

Digest Saver::keep(std::string bytes) {
  Digest digest = Digest::of(bytes);
  blobs_[digest].bytes = std::move(bytes);
  return digest;
}

Result<void> Saver::add(const Saved& saved) {
  const Image& image = saved.image;
  std::string config = TRY(store_.content().read(image.id));
  spec::oci::Manifest manifest;
  manifest.media_type = spec::oci::kMediaTypeManifest;
  manifest.config = descriptor(spec::oci::kMediaTypeConfig, image.id, config.size());
  keep(std::move(config));
  DockerManifest docker;
  docker.config = blob_name(image.id);
  for (const Layer& layer : image.layers) {
    const std::uint64_t size = TRY(store_.layer_tar_bytes(layer));
    blobs_[layer.diff_id] = {"", &layer, size};
    manifest.layers.push_back(descriptor(spec::oci::kMediaTypeLayer, layer.diff_id, size));
    docker.layers.push_back(blob_name(layer.diff_id));
    docker.layer_sources[layer.diff_id.to_string()] = manifest.layers.back();
  }
  std::string text = json::encode(manifest);
  const std::uint64_t size = text.size();
  const Descriptor entry = descriptor(spec::oci::kMediaTypeManifest, keep(std::move(text)), size);
  if (saved.names.empty()) index_.manifests.push_back(entry);
  for (const auto& name : saved.names) {
    index_.manifests.push_back(entry);
    index_.manifests.back().annotations = {{"io.containerd.image.name", name.to_string()},
                                           {"org.opencontainers.image.ref.name", name.tag()}};
    docker.repo_tags.push_back(name.familiar());
    if (!image.layers.empty())
      repositories_[name.familiar_name()][name.tag()] = image.layers.back().diff_id.hex();
  }
  manifests_.push_back(std::move(docker));
  return {};
}

Result<void> Saver::entry(const std::string& name, Entry::Type type, mode_t mode, std::uint64_t size) {
  Entry header;
  header.path = name;
  header.type = type;
  header.mode = mode;
  header.size = size;
  return tar_.header(header);
}

Result<void> Saver::file(const std::string& name, std::string_view bytes) {
  TRY(entry(name, Entry::Type::Regular, 0644, bytes.size()));
  return tar_.data(bytes);
}

Result<void> Saver::layer(const std::string& name, const Blob& blob) {
  TRY(entry(name, Entry::Type::Regular, 0644, blob.size));
  // A layer that turned out to have another size is damaged, which write_layer() says.
  TRY(store_.write_layer(*blob.layer, out_));
  return tar_.passed(blob.size);
}

Result<void> Saver::write(const std::set<Digest>& without) {
  if (!blobs_.empty()) {
    TRY(entry("blobs", Entry::Type::Directory, 0755, 0));
    TRY(entry("blobs/sha256", Entry::Type::Directory, 0755, 0));
  }
  for (const auto& [digest, blob] : blobs_)
    if (!blob.layer || !without.contains(digest))
      TRY(blob.layer ? layer(blob_name(digest), blob) : file(blob_name(digest), blob.bytes));
  TRY(file("index.json", json::encode(index_)));
  TRY(file("manifest.json", encode_docker_manifests(manifests_) + "\n"));
  TRY(file("oci-layout", R"({"imageLayoutVersion": "1.0.0"})"));
  if (!repositories_.empty()) {
    json::Object repositories;
    for (const auto& [name, tags] : repositories_) {
      json::Object& object = repositories[name].emplace_object();
      for (const auto& [tag, layer] : tags) object[tag] = layer;
    }
    TRY(file("repositories", json::to_text(repositories) + "\n"));
  }
  return tar_.finish();
}

}  // namespace

Result<std::vector<Saved>> choose_saved(Store& store, const std::vector<std::string>& names,
                                        const std::optional<spec::Platform>& platform) {
  std::vector<Saved> chosen;
  const auto choose = [&](const Image& image, std::optional<spec::Reference> name) -> Result<void> {
    if (platform && !platform->accepts(image.config.platform))
      return fail(Kind::Internal, "no suitable export target found for platform {}", platform->to_string());
    auto found = std::find_if(chosen.begin(), chosen.end(),
                              [&](const Saved& saved) { return saved.image.id == image.id; });
    if (found == chosen.end()) found = chosen.insert(found, Saved{image, {}});
    if (name && std::find(found->names.begin(), found->names.end(), *name) == found->names.end())
      found->names.push_back(*std::move(name));
    return {};
  };
  for (const auto& text : names) {
    // A repository's name alone is all its tags, where it has any.
    const auto reference = spec::Reference::parse(text);
    bool is_repository = false;
    if (reference && reference->tag().empty() && !reference->digest()) {
      for (const Image& image : TRY(store.list()))
        for (const auto& tag : image.tags) {
          const auto name = TRY(spec::Reference::parse(tag));
          if (name.name() != reference->name()) continue;
          is_repository = true;
          TRY(choose(image, name));
        }
    }
    if (is_repository) continue;
    const auto found = store.resolve(text);
    // As it was written: Docker adds no tag here.
    if (!found.ok() && found.error().kind() == Kind::NotFound)
      return fail(Kind::NotFound, "No such image: {}", text);
    const Image image = TRY(found);
    const bool by_name = reference && std::find(image.tags.begin(), image.tags.end(),
                                                reference->with_default_tag().familiar()) != image.tags.end();
    TRY(choose(image, by_name ? std::optional(reference->with_default_tag()) : std::nullopt));
  }
  return chosen;
}

Result<void> save(Store& store, const std::vector<Saved>& images, const sys::Fd& out,
                  const std::set<Digest>& without) {
  Saver saver(store, out);
  for (const auto& image : images) TRY(saver.add(image));
  return saver.write(without);
}

}  // namespace skiff::image
