#include "registry/server/links.h"

#include "registry/server/repositories.h"

namespace skiff::registry::server {

using spec::Digest;

void describe(json::Fields& f, ManifestRecord& record) {
  f("mediaType", record.media_type);
  f("size", record.size);
}

std::string referrer_key(const std::string& name, const Digest& subject, const Digest& referrer) {
  return fmt::format("{}/{}-{}", link_key(name, kReferrers, subject), referrer.algorithm(), referrer.hex());
}

Result<std::vector<Digest>> linked(Storage& storage, const std::string& name, std::string_view kind) {
  std::vector<Digest> out;
  const std::string folder = repository_key(name, kind);
  for (const auto& algorithm : TRY(storage.list(folder)).folders) {
    for (const auto& hex : TRY(storage.list(folder + "/" + algorithm)).objects)
      if (auto digest = Digest::parse(algorithm + ":" + hex); digest.ok()) out.push_back(*std::move(digest));
  }
  return out;
}

Result<void> ignore_missing(Result<void> removed) {
  if (!removed.ok() && removed.error().kind() == Kind::NotFound) return {};
  return removed;
}

}  // namespace skiff::registry::server
