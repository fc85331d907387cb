#include "registry/server/collector.h"

#include <algorithm>

#include "base/log.h"
#include "registry/server/links.h"

namespace skiff::registry::server {

using spec::Digest;

Result<Collected> Collector::run(const std::stop_token& stop) {
  {
    // Alone: whoever links something now has either finished, and is seen, or protects it.
    const Gate::Alone alone(repositories_.gate_);
    const MutexLock lock(repositories_.mutex_);
    repositories_.protected_ = {true, {}};
  }
  Collected out;
  auto done = collect_all(out, stop);
  {
    const MutexLock lock(repositories_.mutex_);
    repositories_.protected_ = {};
  }
  TRY(std::move(done));
  return out;
}

Result<std::vector<std::string>> Collector::names() {
  auto names = TRY(repositories_.names());
  for (auto& name : TRY(repositories_.names_with_blobs())) names.push_back(std::move(name));
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

Result<void> Collector::collect_all(Collected& out, const std::stop_token& stop) {
  for (const auto& name : TRY(names())) {
    if (stop.stop_requested()) return Error(Kind::Cancelled, "the collection was stopped");
    TRY_CONTEXT(collect_repository(name, out), "repository {}", name);
  }
  return collect_blobs(out, stop);
}

Result<void> Collector::collect_repository(const std::string& name, Collected& out) {
  std::vector<Known> manifests;
  for (const auto& digest : TRY(linked(repositories_.storage_, name, kManifests))) {
    const auto stored = repositories_.manifest(name, digest);
    if (!stored.ok() && stored.error().kind() == Kind::NotFound) continue;  // removed meanwhile
    auto facts = stored.ok() ? read_manifest(stored->bytes, stored->media_type)
                             : Result<ManifestFacts>(stored.error());
    if (!facts.ok()) {
      // What a damaged manifest refers to is not known, so that nothing here can be called garbage.
      log::warning("garbage collection leaves out repository {}: {}", name, facts.error().message());
      return {};
    }
    manifests.push_back({digest, *std::move(facts)});
  }
  if (untagged_) TRY(collect_untagged(name, manifests, out));
  std::set<Digest> referred;
  for (const auto& manifest : manifests) {
    referred.insert(manifest.facts.blobs.begin(), manifest.facts.blobs.end());
    referred.insert(manifest.facts.optional_blobs.begin(), manifest.facts.optional_blobs.end());
  }
  for (const auto& digest : TRY(linked(repositories_.storage_, name, kBlobs))) {
    const std::string key = link_key(name, kBlobs, digest);
    if (!referred.contains(digest) && TRY(remove_unused(key, key))) ++out.links;
  }
  return {};
}

/// Follows tags to manifests, indexes to what they list, and subjects to what refers to them.
Result<std::set<Digest>> Collector::reachable(const std::string& name, const std::vector<Known>& manifests) {
  std::set<Digest> seen;
  std::vector<Digest> next;
  for (const auto& tag : TRY(repositories_.tags(name)))
    if (auto digest = repositories_.resolve(name, tag); digest.ok()) next.push_back(*std::move(digest));
  while (!next.empty()) {
    const Digest digest = std::move(next.back());
    next.pop_back();
    if (!seen.insert(digest).second) continue;
    for (const auto& manifest : manifests) {
      if (manifest.digest == digest)
        next.insert(next.end(), manifest.facts.manifests.begin(), manifest.facts.manifests.end());
      if (manifest.facts.subject == digest) next.push_back(manifest.digest);
    }
  }
  return seen;
}

Result<void> Collector::collect_untagged(const std::string& name, std::vector<Known>& manifests,
                                         Collected& out) {
  const auto keep = TRY(reachable(name, manifests));
  std::vector<Known> left;
  for (auto& manifest : manifests) {
    if (!keep.contains(manifest.digest) && TRY(remove_manifest(name, manifest.digest)))
      ++out.manifests;
    else
      left.push_back(std::move(manifest));
  }
  manifests = std::move(left);
  return {};
}

Result<void> Collector::collect_blobs(Collected& out, const std::stop_token& stop) {
  std::set<Digest> all;
  for (const auto& name : TRY(names()))
    for (const auto kind : {kBlobs, kManifests})
      for (auto& digest : TRY(linked(repositories_.storage_, name, kind))) all.insert(std::move(digest));
  for (const auto& algorithm : TRY(repositories_.storage_.list("blobs")).folders) {
    for (const auto& part : TRY(repositories_.storage_.list("blobs/" + algorithm)).folders) {
      if (stop.stop_requested()) return Error(Kind::Cancelled, "the collection was stopped");
      TRY(collect_blob_folder(algorithm + "/" + part, all, out));
    }
  }
  return {};
}

Result<void> Collector::collect_blob_folder(const std::string& folder, const std::set<Digest>& linked,
                                            Collected& out) {
  const std::string algorithm = folder.substr(0, folder.find('/'));
  for (const auto& hex : TRY(repositories_.storage_.list("blobs/" + folder)).objects) {
    const auto digest = Digest::parse(algorithm + ":" + hex);
    if (!digest.ok() || linked.contains(*digest)) continue;
    const std::string key = blob_key(*digest);
    const auto info = repositories_.storage_.stat(key);
    if (!info.ok() || !TRY(remove_unused(key, digest->to_string()))) continue;
    ++out.blobs;
    out.bytes += info->size;
  }
  return {};
}

bool Collector::is_unused(const std::string& key, const std::string& protection) {
  const MutexLock lock(repositories_.mutex_);
  if (repositories_.protected_.keys.contains(protection)) return false;
  const auto info = repositories_.storage_.stat(key);
  return info.ok() && now() - info->modified >= repositories_.grace_;
}

Result<bool> Collector::remove_unused(const std::string& key, const std::string& protection) {
  const Gate::Alone alone(repositories_.gate_);
  if (!is_unused(key, protection)) return false;
  TRY(ignore_missing(repositories_.storage_.remove(key)));
  return true;
}

Result<bool> Collector::remove_manifest(const std::string& name, const Digest& digest) {
  const Gate::Alone alone(repositories_.gate_);
  const std::string key = link_key(name, kManifests, digest);
  if (!is_unused(key, key)) return false;
  // A tag may have come to it since the tags were looked at.
  for (const auto& tag : TRY(repositories_.tags(name)))
    if (const auto target = repositories_.resolve(name, tag); target.ok() && *target == digest) return false;
  TRY(repositories_.drop_referrer(name, digest));
  TRY(ignore_missing(repositories_.storage_.remove(key)));
  return true;
}

}  // namespace skiff::registry::server
