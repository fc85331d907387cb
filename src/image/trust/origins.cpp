#include "image/trust/origins.h"

namespace skiff::image {
namespace {

constexpr std::size_t kMostPulls = 16;  ///< names of one image

Result<std::optional<Origin>> read(meta::Transaction& transaction, const spec::Digest& image) {
  const auto text = TRY(transaction.get(kOriginTable, image.to_string()));
  if (!text) return std::optional<Origin>();
  return std::optional(TRY_CONTEXT(json::decode<Origin>(*text), "origin of image {}", image.to_string()));
}

}  // namespace

void describe(json::Fields& f, PulledAs& pull) {
  f("reference", pull.reference);
  spec::digest_list_field(f, "manifests", pull.manifests);
  f("signatures", pull.signatures, json::Omit::Empty);
}

void describe(json::Fields& f, Origin& origin) {
  int kind = static_cast<int>(origin.kind);
  f("kind", kind);
  if (kind < 0 || kind > static_cast<int>(Origin::Kind::Local)) kind = 0;
  origin.kind = static_cast<Origin::Kind>(kind);
  f("pulls", origin.pulls, json::Omit::Empty);
  f("loaded", origin.loaded, json::Omit::Empty);
}

Result<std::optional<Origin>> Origins::find(const spec::Digest& image) {
  std::optional<Origin> origin;
  TRY(database_.read([&](meta::Transaction& transaction) -> Result<void> {
    origin = TRY(read(transaction, image));
    return {};
  }));
  return origin;
}

/// Relaxed, since the image's record follows in a full commit and takes this along.
Result<void> Origins::pulled(const spec::Digest& image, PulledAs pull) {
  return database_.write(
      [&](meta::Transaction& transaction) -> Result<void> {
        Origin origin = TRY(read(transaction, image)).value_or(Origin());
        std::erase_if(origin.pulls, [&](const PulledAs& known) { return known.reference == pull.reference; });
        origin.pulls.insert(origin.pulls.begin(), std::move(pull));
        if (origin.pulls.size() > kMostPulls) origin.pulls.resize(kMostPulls);
        return transaction.put(kOriginTable, image.to_string(), json::encode(origin));
      },
      meta::Durability::Relaxed);
}

Result<void> Origins::note(const spec::Digest& image, Origin::Kind kind) {
  return database_.write(
      [&](meta::Transaction& transaction) -> Result<void> {
        if (TRY(transaction.get(kOriginTable, image.to_string()))) return {};
        return transaction.put(kOriginTable, image.to_string(), json::encode(Origin{kind, {}, false}));
      },
      meta::Durability::Relaxed);
}

Result<void> Origins::loaded(const spec::Digest& image, bool known) {
  return database_.write(
      [&](meta::Transaction& transaction) -> Result<void> {
        auto origin = TRY(read(transaction, image));
        if (origin ? origin->loaded : known) return {};
        if (!origin) origin = Origin{Origin::Kind::Archive, {}, false};
        origin->loaded = true;
        return transaction.put(kOriginTable, image.to_string(), json::encode(*origin));
      },
      meta::Durability::Relaxed);
}

}  // namespace skiff::image
