#include "registry/server/pull_through.h"

#include <algorithm>

#include "base/log.h"
#include "registry/server/call.h"
#include "registry/server/registry.h"

namespace skiff::registry::server {
namespace {

using spec::Digest;

constexpr int kAttempts = 4;  ///< at a blob; each goes on where the last one broke off
/// Sizes that are remembered; without one a blob is sent chunked.
constexpr std::size_t kMostSizes = 10000;

bool may_pass(const Error& error) { return error.kind() == Kind::Unavailable; }

}  // namespace

PullThrough::PullThrough(Repositories& repositories, Uploads& uploads, std::vector<CacheSource> sources)
    : repositories_(repositories), uploads_(uploads), sources_(std::move(sources)) {}

const CacheSource* PullThrough::source_of(const std::string& name) const {
  const CacheSource* best = nullptr;
  for (const auto& source : sources_) {
    const bool fits = source.prefix.empty() || name.starts_with(source.prefix + "/");
    if (fits && (!best || source.prefix.size() > best->prefix.size())) best = &source;
  }
  return best;
}

std::string PullThrough::name_of(const std::string& domain, const std::string& name) const {
  for (const auto& source : sources_)
    if (!domain.empty() && source.prefix == domain) return domain + "/" + name;
  return {};
}

std::string PullThrough::upstream_name(const CacheSource& source, const std::string& name) {
  return source.prefix.empty() ? name : name.substr(source.prefix.size() + 1);
}

void PullThrough::note_sizes(const ManifestFacts& facts) {
  const MutexLock lock(mutex_);
  if (sizes_.size() > kMostSizes) sizes_.clear();
  sizes_.insert(facts.sizes.begin(), facts.sizes.end());
}

std::optional<std::uint64_t> PullThrough::size_of(const Digest& digest) {
  const MutexLock lock(mutex_);
  const auto found = sizes_.find(digest);
  return found == sizes_.end() ? std::nullopt : std::optional(found->second);
}

Result<void> PullThrough::fetch_manifest(const CacheSource& source, const std::string& name,
                                         const std::string& tag, const Digest& digest,
                                         const std::stop_token& stop) {
  const auto manifest = TRY(source.upstream->manifest(upstream_name(source, name), digest, stop));
  const auto facts = TRY(read_manifest(manifest.bytes, manifest.media_type));
  return repositories_.keep_manifest(name, tag, digest, manifest.bytes, facts);
}

Result<void> PullThrough::refresh(const CacheSource& source, const std::string& name, const std::string& tag,
                                  const std::stop_token& stop) {
  const auto known = repositories_.resolve(name, tag);
  if (known.ok() && TRY(repositories_.tag_age(name, tag)) < source.fresh) return {};
  const auto current = source.upstream->resolve(upstream_name(source, name), tag, stop);
  if (!current.ok() && may_pass(current.error()) && known.ok()) {
    log::warning("{}:{} is served as it was: {}", name, tag, current.error().message());
    return {};
  }
  if (!current.ok() && current.error().kind() == Kind::NotFound && known.ok())
    TRY(repositories_.remove_tag(name, tag));
  const Digest digest = TRY(current);
  if (known.ok() && *known == digest && repositories_.manifest(name, digest).ok())
    return repositories_.touch_tag(name, tag);
  return fetch_manifest(source, name, tag, digest, stop);
}

Result<Digest> PullThrough::resolve(const std::string& name, const std::string& tag) {
  const auto& source = *source_of(name);
  // Most of the time nobody has to be asked, and no thread to be started.
  if (const auto age = repositories_.tag_age(name, tag); age.ok() && *age < source.fresh)
    return repositories_.resolve(name, tag);
  const auto work = [this, source, name, tag](Flight&, const std::stop_token& stop) {
    return refresh(source, name, tag, stop);
  };
  TRY(flights_.join(name + ":" + tag, work)->wait());
  return repositories_.resolve(name, tag);
}

Result<StoredManifest> PullThrough::manifest(const std::string& name, const Digest& digest) {
  auto here = repositories_.manifest(name, digest);
  if (!here.ok()) {
    const auto& source = *source_of(name);
    const auto work = [this, source, name, digest](Flight&, const std::stop_token& stop) {
      return fetch_manifest(source, name, "", digest, stop);
    };
    TRY(flights_.join(name + "@" + digest.to_string(), work)->wait());
    here = repositories_.manifest(name, digest);
  }
  auto manifest = TRY(std::move(here));
  if (const auto facts = read_manifest(manifest.bytes, manifest.media_type); facts.ok()) note_sizes(*facts);
  return manifest;
}

Result<std::vector<std::string>> PullThrough::tags(const std::string& name) {
  const auto& source = *source_of(name);
  auto found = std::make_shared<std::vector<std::string>>();
  const auto asked = source.upstream->tags(upstream_name(source, name), {});
  if (asked.ok()) {
    auto tags = *asked;
    std::sort(tags.begin(), tags.end());
    return tags;
  }
  auto here = TRY(repositories_.tags(name));
  if (!may_pass(asked.error()) || here.empty()) return asked.error();
  return here;
}

std::shared_ptr<Flight> PullThrough::fetch_blob(const std::string& name, const Digest& digest) {
  const auto work = [this, source = *source_of(name), name, digest](Flight& flight,
                                                                    const std::stop_token& stop) {
    auto received = receive_blob(source, name, digest, flight, stop);
    if (!received.ok() && received.error().kind() != Kind::NotFound)
      log::warning("{}@{}: {}", name, digest.to_string(), received.error().message());
    return received;
  };
  return flights_.join(name + "/" + digest.to_string(), work);
}

Result<void> PullThrough::receive_blob(const CacheSource& source, const std::string& name,
                                       const Digest& digest, Flight& flight, const std::stop_token& stop) {
  // Somebody may have fetched it between the caller's look and now.
  if (repositories_.blob_size(name, digest).ok()) return {};
  std::shared_ptr<Uploads::Session> session = TRY(uploads_.begin(name));
  flight.read = [session](std::uint64_t first, std::uint64_t length, const ByteSink& sink) {
    return session->read(first, length, sink);
  };
  const auto take = [&](std::string_view bytes) -> Result<void> {
    TRY(session->append(bytes));
    flight.progress(session->size());
    return {};
  };
  Result<void> received;
  for (int i = 0; i < kAttempts; ++i) {
    received = source.upstream->blob(upstream_name(source, name), digest, session->size(), take, stop);
    if (received.ok() || !may_pass(received.error())) break;
  }
  if (received.ok()) received = session->commit(repositories_, name, digest);
  if (!received.ok()) TRY(session->cancel());
  return received;
}

namespace {

/// What is left of a blob that has arrived and been checked.
Result<void> send_rest(Call& call, const Digest& digest) {
  const auto content = TRY(call.registry.repositories().open_blob(call.name(), digest));
  const std::uint64_t sent = call.outcome->record.bytes;
  return content.copy(sent, content.size - sent, [&](std::string_view bytes) {
    call.outcome->record.bytes += bytes.size();
    return call.http.write(bytes);
  });
}

/// Sends what arrives as it arrives. The last byte waits until the digest of all of them is known to be
/// right.
Result<void> send_along(Call& call, Flight& flight, const Digest& digest, std::optional<std::uint64_t> size) {
  constexpr std::string_view kType = "application/octet-stream";
  call.outcome->record.status = 200;
  if (size)
    TRY(call.http.start(200, *size, kType));
  else
    TRY(call.http.start(200, kType));
  std::uint64_t& sent = call.outcome->record.bytes;
  while (true) {
    const std::uint64_t there = flight.wait_beyond(sent + 1) - 1;
    if (flight.ended()) {
      TRY(flight.wait());
      return send_rest(call, digest);
    }
    const auto forward = [&](std::string_view bytes) {
      sent += bytes.size();
      return call.http.write(bytes);
    };
    const auto copied = flight.read(sent, there - sent, forward);
    // Its place has changed while it was read: it has just been completed.
    if (!copied.ok() && copied.error().kind() != Kind::NotFound) return copied;
    if (!copied.ok()) TRY(flight.wait());
  }
}

}  // namespace

Result<void> serve_from_upstream(Call& call, PullThrough& cache, const Digest& digest) {
  const auto flight = cache.fetch_blob(call.name(), digest);
  const bool whole = !call.is_head() && !call.http.fields().has("Range");
  if (whole && flight->wait_beyond(0) > 0 && !flight->ended()) {
    call.header("Docker-Content-Digest", digest.to_string());
    auto sent = send_along(call, *flight, digest, cache.size_of(digest));
    if (!sent.ok()) call.http.abort();  // the client must not take what it has for the whole
    return sent;
  }
  const auto fetched = flight->wait();
  if (!fetched.ok() && fetched.error().kind() == Kind::NotFound)
    return call.refuse(Code::BlobUnknown, {}, json::Value(digest.to_string()));
  TRY(fetched);
  return get_blob(call);  // it is here now
}

}  // namespace skiff::registry::server
