#include "registry/server/uploads.h"

#include "base/ids.h"
#include "base/log.h"
#include "registry/server/links.h"

namespace skiff::registry::server {
namespace {

using spec::Digest;

/// Hashes of interrupted uploads that are remembered; what is forgotten is read again.
constexpr std::size_t kMostRemembered = 1000;

/// A random UUID (RFC 9562, version 4).
std::string new_id() {
  std::string hex = random_hex(16);
  hex[12] = '4';
  hex[16] = "89ab"[static_cast<unsigned char>(hex[16]) % 4];
  for (const std::size_t at : {20, 16, 12, 8}) hex.insert(at, 1, '-');
  return hex;
}

bool is_id(std::string_view id) {
  return id.size() == 36 && id.find_first_not_of("0123456789abcdef-") == std::string_view::npos;
}

/// The id with its repository: an id alone opens nothing.
std::string key_of(const std::string& name, const std::string& id) {
  return id + "." + std::string(Digest::of(name).hex());
}

}  // namespace

Result<void> Uploads::claim(const std::string& key, std::chrono::seconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  MutexLock lock(mutex_);
  while (progress_[key].busy)
    if (!lock.wait_until(released_, deadline) && progress_[key].busy)
      return Error(Kind::Conflict, "another request is writing to this upload");
  auto& progress = progress_[key];
  progress.busy = true;
  progress.used = std::chrono::steady_clock::now();
  forget_old();
  return {};
}

void Uploads::forget_old() {
  if (progress_.size() <= kMostRemembered) return;
  auto oldest = progress_.end();
  for (auto it = progress_.begin(); it != progress_.end(); ++it)
    if (!it->second.busy && (oldest == progress_.end() || it->second.used < oldest->second.used)) oldest = it;
  if (oldest != progress_.end()) progress_.erase(oldest);
}

void Uploads::release(const std::string& key, bool ended) {
  const MutexLock lock(mutex_);
  const auto found = progress_.find(key);
  if (found == progress_.end()) return;
  found->second.busy = false;
  released_.notify_all();
  if (ended || !found->second.hasher) progress_.erase(found);
}

Result<std::unique_ptr<Uploads::Session>> Uploads::begin(const std::string& name) {
  const std::string id = new_id();
  const std::string key = key_of(name, id);
  auto incoming = TRY(storage_.create_incoming(key));
  TRY(claim(key, kPatience));
  {
    const MutexLock lock(mutex_);
    progress_[key].hasher.emplace();
  }
  return std::make_unique<Session>(*this, id, key, std::move(incoming));
}

Result<std::unique_ptr<Uploads::Session>> Uploads::resume(const std::string& name, const std::string& id) {
  if (!is_id(id)) return fail(Kind::NotFound, "no upload has the id {}", id);
  const std::string key = key_of(name, id);
  TRY(claim(key, kPatience));
  auto incoming = storage_.open_incoming(key);
  if (!incoming.ok()) {
    release(key, true);
    return std::move(incoming).error();
  }
  return std::make_unique<Session>(*this, id, key, *std::move(incoming));
}

Result<int> Uploads::expire(std::chrono::seconds age) {
  int removed = 0;
  for (const auto& [key, modified] : TRY(storage_.list_incoming())) {
    if (now() - modified < age || !claim(key, std::chrono::seconds(0)).ok()) continue;
    auto done = ignore_missing(storage_.remove_incoming(key));
    release(key, true);
    TRY(std::move(done));
    ++removed;
  }
  return removed;
}

Uploads::Session::~Session() { uploads_.release(key_, ended_); }

Result<void> Uploads::Session::append(std::string_view bytes) {
  const std::uint64_t before = incoming_->size();
  TRY(incoming_->append(bytes));
  spec::Hasher* hasher = nullptr;
  {
    const MutexLock lock(uploads_.mutex_);
    auto& progress = uploads_.progress_[key_];
    // Only a hash of everything before can be continued.
    if (progress.hasher && progress.hashed == before) {
      hasher = &*progress.hasher;
      progress.hashed += bytes.size();
    }
  }
  if (hasher) hasher->update(bytes);  // ours alone: the upload is claimed
  return {};
}

Result<Digest> Uploads::Session::digest_as(std::string_view algorithm) {
  std::optional<spec::Hasher> known;
  {
    const MutexLock lock(uploads_.mutex_);
    auto& progress = uploads_.progress_[key_];
    if (algorithm == "sha256" && progress.hasher && progress.hashed == incoming_->size())
      known.swap(progress.hasher);
  }
  if (known) return known->finish();
  spec::Hasher hasher(algorithm);
  TRY(incoming_->read(0, incoming_->size(), [&hasher](std::string_view bytes) {
    hasher.update(bytes);
    return success();
  }));
  return hasher.finish();
}

Result<void> Uploads::Session::commit(Repositories& repositories, const std::string& name,
                                      const Digest& digest) {
  const Digest found = TRY(digest_as(digest.algorithm()));
  if (found != digest) {
    TRY(cancel());
    return fail(Kind::InvalidArgument, "the bytes that were sent have the digest {}, not {}",
                found.to_string(), digest.to_string());
  }
  TRY(repositories.add_blob(name, digest, *incoming_));
  ended_ = true;
  return {};
}

Result<void> Uploads::Session::cancel() {
  ended_ = true;
  return ignore_missing(uploads_.storage_.remove_incoming(key_));
}

}  // namespace skiff::registry::server
