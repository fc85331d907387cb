#include "image/transfer/layer_push.h"

#include <set>

#include "base/log.h"
#include "image/transfer/layer_upload.h"
#include "image/transfer/repeat.h"
#include "registry/client/refusal.h"
#include "spec/manifest.h"
#include "sys/file.h"

namespace skiff::image {
namespace {

constexpr int kMostLookUps = 4;  ///< questions about one layer before it is simply sent
constexpr int kMostMounts = 3;

std::string id_of(const Layer& layer) { return std::string(layer.diff_id.short_hex()); }

}  // namespace

/// The same blob in our repository.
KnownBlob LayerPush::here(const KnownBlob& blob) const {
  KnownBlob ours = blob;
  ours.domain = repository_.name().domain();
  ours.path = repository_.name().path();
  // The manifest is of Docker's types; the bytes are the same in both.
  if (ours.media_type == spec::oci::kMediaTypeLayerGzip) ours.media_type = spec::oci::kDockerLayerGzip;
  if (ours.media_type == spec::oci::kMediaTypeLayer) ours.media_type = spec::oci::kDockerLayer;
  if (ours.media_type == spec::oci::kMediaTypeLayerZstd) ours.media_type = spec::oci::kDockerLayerZstd;
  return ours;
}

/// Whether it is compressed as it is wanted.
bool LayerPush::will_do(const KnownBlob& blob) const {
  const auto type = here(blob).media_type;
  if (compression_ == archive::Compression::Zstd) return type == spec::oci::kDockerLayerZstd;
  if (compression_ == archive::Compression::Gzip) return type == spec::oci::kDockerLayerGzip;
  return true;
}

Result<KnownBlob> LayerPush::run(const Layer& layer, const std::stop_token& stop) {
  // Only then is it known which blob of the registry it is.
  TRY(store_.make_whole(layer.snapshot));
  auto known = TRY(ledger_.blobs_of(layer.diff_id));
  std::erase_if(known, [this](const KnownBlob& blob) { return !will_do(blob); });
  auto blob = TRY(find(layer, known, stop));
  if (!blob) blob = TRY(mount(layer, known, stop));
  if (!blob) blob = TRY(send(layer, kept(known), stop));
  TRY(ledger_.add(layer.diff_id, *blob));
  return *blob;
}

/// Those that we know to be there are asked about first; any other form of the layer may be there too.
Result<std::optional<KnownBlob>> LayerPush::find(const Layer& layer, const std::vector<KnownBlob>& known,
                                                 const std::stop_token& stop) {
  std::vector<KnownBlob> order;
  for (const bool expected : {true, false})
    for (const auto& blob : known)
      if ((blob == here(blob)) == expected) order.push_back(blob);
  std::set<spec::Digest> asked;
  for (const auto& blob : order) {
    if (!asked.insert(blob.digest).second) continue;
    if (asked.size() > kMostLookUps) break;
    if (const auto size = TRY(repository_.blob_size(blob.digest, stop))) {
      progress_.action(id_of(layer), "Layer already exists");
      KnownBlob found = here(blob);
      if (*size > 0) found.size = static_cast<std::int64_t>(*size);
      return std::optional(found);
    }
    if (blob == here(blob)) TRY(ledger_.forget(layer.diff_id, blob));
  }
  return std::optional<KnownBlob>();
}

Result<std::optional<KnownBlob>> LayerPush::mount(const Layer& layer, const std::vector<KnownBlob>& known,
                                                  const std::stop_token& stop) {
  int tried = 0;
  for (const auto& blob : known) {
    const auto ours = here(blob);
    if (blob.domain != ours.domain || blob.path == ours.path) continue;
    if (++tried > kMostMounts) break;
    if (!TRY(repository_.mount(blob.digest, blob.path, stop))) continue;
    progress_.action(id_of(layer), fmt::format("Mounted from {}", blob.path));
    return std::optional(ours);
  }
  return std::optional<KnownBlob>();
}

/// As often as it may help: what a registry broke off begins anew, since the bytes are made on the way.
Result<KnownBlob> LayerPush::send(const Layer& layer, const std::optional<KnownBlob>& kept,
                                  const std::stop_token& stop) {
  bool sound = kept.has_value();  // as far as is known
  return repeat<KnownBlob>(
      settings_, stop,
      [&]() -> Result<KnownBlob> {
        if (!sound) return send_once(layer, stop);
        auto sent = send_kept(layer, *kept, stop);
        if (sent.ok()) return sent;
        const bool gone = sent.error().kind() == Kind::DataLoss || sent.error().kind() == Kind::NotFound;
        if (!gone && !registry::is_other_digest(sent.error())) return sent;
        log::warning("{}: {}; the layer is compressed anew", kept->digest.to_string(),
                     sent.error().message());
        sound = false;
        return send_once(layer, stop);
      },
      [&](std::chrono::seconds pause) {
        progress_.action(id_of(layer), fmt::format("Retrying in {} second{}", pause.count(),
                                                   pause.count() == 1 ? "" : "s"));
      });
}

/// A blob of the layer that is in the content store as it came.
std::optional<KnownBlob> LayerPush::kept(const std::vector<KnownBlob>& known) const {
  const auto found = std::find_if(known.begin(), known.end(), [&](const KnownBlob& blob) {
    return store_.content().contains(blob.digest);
  });
  return found == known.end() ? std::nullopt : std::optional(*found);
}

Result<KnownBlob> LayerPush::send_kept(const Layer& layer, const KnownBlob& blob,
                                       const std::stop_token& stop) {
  const sys::Fd file = TRY(store_.content().open_blob(blob.digest));
  const std::uint64_t total = TRY(store_.content().size_of(blob.digest));
  Meter meter(progress_, id_of(layer));
  spec::Hasher hasher;
  std::uint64_t sent = 0;
  registry::Upload upload;
  upload.size = total;
  upload.source = [&](char* buffer, std::size_t size) -> Result<std::size_t> {
    const std::size_t count = TRY(sys::read_some(file, buffer, size));
    hasher.update(std::string_view(buffer, count));
    sent += count;
    meter.show("Pushing", sent, total);
    return count;
  };
  // What was damaged on disk is told by the registry, which gets another digest than the bytes have.
  upload.digest = [&] { return blob.digest; };
  TRY(repository_.upload(std::move(upload), stop));
  if (hasher.finish() != blob.digest)
    return fail(Kind::DataLoss, "blob {} is damaged on disk", blob.digest.to_string());
  progress_.action(id_of(layer), "Pushed");
  KnownBlob ours = here(blob);
  ours.size = static_cast<std::int64_t>(total);
  return ours;
}

Result<KnownBlob> LayerPush::send_once(const Layer& layer, const std::stop_token& stop) {
  const std::uint64_t total = TRY(store_.layer_tar_bytes(layer));
  Meter meter(progress_, id_of(layer));
  const auto compression = compression_.value_or(archive::Compression::Gzip);
  LayerReader reader(store_, layer, compression,
                     [&](std::uint64_t bytes) { meter.show("Pushing", bytes, total); });
  TRY(reader.open());
  KnownBlob blob;
  blob.media_type =
      compression == archive::Compression::Zstd ? spec::oci::kDockerLayerZstd : spec::oci::kDockerLayerGzip;
  registry::Upload upload;
  upload.source = [&](char* buffer, std::size_t size) { return reader.read(buffer, size); };
  upload.digest = [&] { return blob.digest = reader.digest(); };
  TRY(repository_.upload(std::move(upload), stop));
  blob.size = static_cast<std::int64_t>(reader.size());
  progress_.action(id_of(layer), "Pushed");
  return here(blob);
}

}  // namespace skiff::image
