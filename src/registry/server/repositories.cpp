#include "registry/server/repositories.h"

#include <algorithm>

#include "base/strings.h"
#include "registry/server/links.h"

namespace skiff::registry::server {

using spec::Digest;
using spec::oci::Descriptor;

std::string blob_key(const Digest& digest) {
  return fmt::format("blobs/{}/{}/{}", digest.algorithm(), digest.hex().substr(0, 2), digest.hex());
}

std::string repository_key(const std::string& name, std::string_view kind) {
  return fmt::format("repositories/{}/{}", name, kind);
}

std::string link_key(const std::string& name, std::string_view kind, const Digest& digest) {
  return fmt::format("repositories/{}/{}/{}/{}", name, kind, digest.algorithm(), digest.hex());
}

void Repositories::protect(const std::string& key) {
  const MutexLock lock(mutex_);
  if (protected_.active) protected_.keys.insert(key);
}

Result<std::uint64_t> Repositories::blob_size(const std::string& name, const Digest& digest) {
  const std::string text = TRY(storage_.read(link_key(name, kBlobs, digest)));
  const auto size = parse_uint(trim(text));
  if (!size) return fail(Kind::DataLoss, "{}: the record of blob {} is damaged", name, digest.to_string());
  return *size;
}

/// Where several processes share a store, the time is all that tells a collector in another one.
Result<void> Repositories::keep_young(const std::string& key) {
  const auto info = TRY(storage_.stat(key));
  return now() - info.modified > grace_ / 2 ? storage_.touch(key) : success();
}

Result<std::uint64_t> Repositories::use_blob(const std::string& name, const Digest& digest) {
  const Gate::Shared shared(gate_);
  const auto size = TRY(blob_size(name, digest));
  const std::string key = link_key(name, kBlobs, digest);
  protect(key);
  TRY(keep_young(key));
  return size;
}

Result<Content> Repositories::open_blob(const std::string& name, const Digest& digest) {
  TRY(storage_.stat(link_key(name, kBlobs, digest)));
  auto content = storage_.open(blob_key(digest));
  if (!content.ok() && content.error().kind() == Kind::NotFound)
    return fail(Kind::DataLoss, "{}: the bytes of blob {} are gone", name, digest.to_string());
  return content;
}

Result<void> Repositories::link_blob(const std::string& name, const Digest& digest, std::uint64_t size) {
  const std::string key = link_key(name, kBlobs, digest);
  protect(key);
  protect(digest.to_string());
  return storage_.write(key, std::to_string(size) + "\n");
}

Result<void> Repositories::add_blob(const std::string& name, const Digest& digest, Incoming& incoming) {
  const Gate::Shared shared(gate_);
  const std::uint64_t size = incoming.size();
  protect(digest.to_string());
  // Also where the blob is there already: if that copy was damaged, this one heals it.
  TRY(incoming.commit(blob_key(digest)));
  return link_blob(name, digest, size);
}

Result<bool> Repositories::mount_blob(const std::string& name, const std::string& from,
                                      const Digest& digest) {
  const Gate::Shared shared(gate_);
  protect(digest.to_string());
  const auto size = blob_size(from, digest);
  if (!size.ok() && size.error().kind() == Kind::NotFound) return false;
  if (!keep_young(blob_key(digest)).ok()) return false;
  TRY(link_blob(name, digest, TRY(size)));
  return true;
}

Result<void> Repositories::remove_blob(const std::string& name, const Digest& digest) {
  const Gate::Alone alone(gate_);
  return storage_.remove(link_key(name, kBlobs, digest));
}

Result<Digest> Repositories::resolve(const std::string& name, const std::string& tag) {
  const std::string text = TRY(storage_.read(repository_key(name, kTags) + "/" + tag));
  return TRY_CONTEXT(Digest::parse(trim(text)), "{}:{}", name, tag);
}

Result<StoredManifest> Repositories::manifest(const std::string& name, const Digest& digest) {
  auto record = TRY(json::decode<ManifestRecord>(TRY(storage_.read(link_key(name, kManifests, digest)))));
  StoredManifest out{digest, std::move(record.media_type), {}};
  auto bytes = storage_.read(blob_key(digest));
  if (!bytes.ok() && bytes.error().kind() != Kind::NotFound) return std::move(bytes).error();
  spec::Hasher hasher(digest.algorithm());
  if (bytes.ok()) hasher.update(*bytes);
  if (!bytes.ok() || hasher.finish() != digest)
    return fail(Kind::DataLoss, "{}: the bytes of manifest {} are gone or damaged", name, digest.to_string());
  out.bytes = *std::move(bytes);
  return out;
}

Result<void> Repositories::need(const std::string& name, const ManifestFacts& facts) {
  for (const auto& blob : facts.blobs) {
    const std::string key = link_key(name, kBlobs, blob);
    protect(key);
    if (!keep_young(key).ok()) return fail(Kind::NotFound, "{}", blob.to_string());
  }
  for (const auto& blob : facts.optional_blobs) protect(link_key(name, kBlobs, blob));
  for (const auto& child : facts.manifests) {
    const std::string key = link_key(name, kManifests, child);
    protect(key);
    if (!storage_.stat(key).ok()) return fail(Kind::NotFound, "{}", child.to_string());
  }
  return {};
}

Result<void> Repositories::put_manifest(const std::string& name, const std::string& tag, const Digest& digest,
                                        std::string_view bytes, const ManifestFacts& facts) {
  const Gate::Shared shared(gate_);
  TRY(need(name, facts));
  return write_manifest(name, tag, digest, bytes, facts);
}

Result<void> Repositories::keep_manifest(const std::string& name, const std::string& tag,
                                         const Digest& digest, std::string_view bytes,
                                         const ManifestFacts& facts) {
  const Gate::Shared shared(gate_);
  return write_manifest(name, tag, digest, bytes, facts);
}

Result<std::chrono::nanoseconds> Repositories::tag_age(const std::string& name, const std::string& tag) {
  return now() - TRY(storage_.stat(repository_key(name, kTags) + "/" + tag)).modified;
}

Result<void> Repositories::touch_tag(const std::string& name, const std::string& tag) {
  return storage_.touch(repository_key(name, kTags) + "/" + tag);
}

Result<void> Repositories::write_manifest(const std::string& name, const std::string& tag,
                                          const Digest& digest, std::string_view bytes,
                                          const ManifestFacts& facts) {
  const std::string key = link_key(name, kManifests, digest);
  protect(key);
  protect(digest.to_string());
  TRY(storage_.write(blob_key(digest), bytes));
  TRY(put_referrer(name, digest, bytes.size(), facts));
  TRY(storage_.write(key, json::encode(ManifestRecord{facts.media_type, bytes.size()})));
  if (tag.empty()) return {};
  return storage_.write(repository_key(name, kTags) + "/" + tag, digest.to_string());
}

Result<void> Repositories::put_referrer(const std::string& name, const Digest& digest, std::size_t size,
                                        const ManifestFacts& facts) {
  if (!facts.subject) return {};
  Descriptor descriptor;
  descriptor.media_type = facts.media_type;
  descriptor.digest = digest;
  descriptor.size = static_cast<std::int64_t>(size);
  descriptor.artifact_type = facts.artifact_type;
  descriptor.annotations = facts.annotations;
  return storage_.write(referrer_key(name, *facts.subject, digest), json::encode(descriptor));
}

Result<void> Repositories::drop_referrer(const std::string& name, const Digest& digest) {
  const auto stored = manifest(name, digest);
  // A manifest that cannot be read any more can be removed all the same; its entry, if any, is then passed
  // over by referrers().
  if (!stored.ok()) return stored.error().kind() == Kind::DataLoss ? success() : Result<void>(stored.error());
  const auto facts = read_manifest(stored->bytes, stored->media_type);
  if (!facts.ok() || !facts->subject) return {};
  return ignore_missing(storage_.remove(referrer_key(name, *facts->subject, digest)));
}

Result<void> Repositories::remove_manifest(const std::string& name, const Digest& digest) {
  const Gate::Alone alone(gate_);
  const std::string key = link_key(name, kManifests, digest);
  TRY(storage_.stat(key));
  for (const auto& tag : TRY(tags(name))) {
    const auto target = resolve(name, tag);
    if (target.ok() && *target == digest)
      TRY(ignore_missing(storage_.remove(repository_key(name, kTags) + "/" + tag)));
  }
  TRY(drop_referrer(name, digest));
  return storage_.remove(key);
}

Result<void> Repositories::remove_tag(const std::string& name, const std::string& tag) {
  const Gate::Alone alone(gate_);
  return storage_.remove(repository_key(name, kTags) + "/" + tag);
}

bool Repositories::exists(const std::string& name) {
  const auto listing = storage_.list("repositories/" + name);
  return listing.ok() && std::any_of(listing->folders.begin(), listing->folders.end(),
                                     [](const auto& folder) { return folder.starts_with('_'); });
}

Result<std::vector<std::string>> Repositories::tags(const std::string& name) {
  return TRY(storage_.list(repository_key(name, kTags))).objects;
}

Result<std::vector<Descriptor>> Repositories::referrers(const std::string& name, const Digest& subject) {
  const std::string folder = link_key(name, kReferrers, subject);
  std::vector<Descriptor> out;
  for (const auto& entry : TRY(storage_.list(folder)).objects) {
    const auto text = storage_.read(folder + "/" + entry);
    if (!text.ok() && text.error().kind() == Kind::NotFound) continue;  // removed meanwhile
    auto descriptor = TRY(json::decode<Descriptor>(TRY(text)));
    if (storage_.stat(link_key(name, kManifests, descriptor.digest)).ok())
      out.push_back(std::move(descriptor));
  }
  return out;
}

Result<void> Repositories::find_names(const std::string& folder, std::string_view kind,
                                      std::vector<std::string>& names) {
  const auto listing = TRY(storage_.list(folder.empty() ? "repositories" : "repositories/" + folder));
  for (const auto& child : listing.folders) {
    if (child == kind) names.push_back(folder);
    if (!child.starts_with('_')) TRY(find_names(folder.empty() ? child : folder + "/" + child, kind, names));
  }
  return {};
}

Result<std::vector<std::string>> Repositories::names_with(std::string_view kind) {
  std::vector<std::string> out;
  TRY(find_names("", kind, out));
  std::sort(out.begin(), out.end());
  return out;
}

Result<std::vector<std::string>> Repositories::names() { return names_with(kManifests); }
Result<std::vector<std::string>> Repositories::names_with_blobs() { return names_with(kBlobs); }

Result<std::uint64_t> Repositories::usage(const std::string& name) {
  std::uint64_t sum = 0;
  for (const auto& digest : TRY(linked(storage_, name, kBlobs))) {
    const auto size = blob_size(name, digest);
    if (size.ok()) sum += *size;
  }
  return sum;
}

}  // namespace skiff::registry::server
