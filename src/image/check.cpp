#include "image/check.h"

#include <fcntl.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "image/layer_tar.h"
#include "image/record.h"
#include "image/store_impl.h"
#include "sys/file.h"

namespace skiff::image {
namespace {

/// So many layers at once: what they are read from, and hashed by.
constexpr unsigned kMostThreads = 4;
/// A blob that nothing names may be on its way into an image.
constexpr std::chrono::seconds kYoung{60};
constexpr std::size_t kPieceSize = 1 << 20;

/// A snapshot whose layer's digest is known, or what it makes of that of its parent.
struct Subject {
  std::string snapshot;
  std::string shown;  ///< the diff id, else the chain id
  std::optional<spec::Digest> diff_id;
  std::string parent_chain;  ///< "" at the bottom
  std::optional<spec::Digest> chain;
  std::vector<const Image*> images;
  std::uint64_t bytes = 0;  ///< as the records know it
};

std::string name_of(const Image& image) {
  if (!image.tags.empty()) return image.tags.front();
  return image.repo_digests.empty() ? image.id.to_string() : image.repo_digests.front();
}

/// What the disk gave is wrong, or it gave nothing; not that we lack something to ask it with.
bool is_damage(const Error& error) {
  return error.kind() == Kind::DataLoss || error.kind() == Kind::NotFound || error.code() == EIO ||
         error.code() == EUCLEAN || error.code() == ENOTDIR;
}

class Check {
 public:
  Check(Store& store, meta::Database& database, Progress& progress, const std::stop_token& stop)
      : store_(store), database_(database), stop_(stop), meter_(progress, "fsck") {}

  Result<Checked> run() {
    images_ = TRY(store_.list());
    if (auto sound = database_.check(); !sound.ok()) {
      if (!is_damage(sound.error())) return sound.error();
      add("database", "meta.db", sound.error().message(), {});
    }
    TRY(check_names());
    TRY(check_blobs());
    TRY(check_layers());
    checked_.report.images = static_cast<std::int64_t>(images_.size());
    return std::move(checked_);
  }

 private:
  void add(std::string_view kind, const std::string& id, std::string problem,
           const std::vector<const Image*>& images, const std::string& snapshot = {}) {
    Finding finding;
    finding.damage.kind = kind;
    finding.damage.id = id;
    finding.damage.problem = std::move(problem);
    finding.snapshot = snapshot;
    for (const Image* image : images) {
      finding.damage.images.push_back(name_of(*image));
      finding.images.push_back(image->id);
    }
    checked_.findings.push_back(std::move(finding));
  }

  Result<void> check_names();
  Result<void> check_blobs();
  Result<void> check_blob(const spec::Digest& digest, std::string_view kind,
                          const std::vector<const Image*>& images);
  Result<void> check_kept(const spec::Digest& digest, const std::vector<const Image*>& images);
  void add_served(const std::string& snapshot, const std::string& damage);
  Result<std::vector<Subject>> subjects();
  Result<void> check_layers();
  Result<std::string> problem_of(const Subject& subject, std::uint64_t* bytes);
  Result<void> check_layer(const Subject& subject) EXCLUDES(mutex_);

  Store& store_;
  meta::Database& database_;
  const std::stop_token& stop_;
  std::vector<Image> images_;
  Mutex mutex_;  ///< of what the threads of check_layers() add to
  Meter meter_;
  Checked checked_;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
};

Result<void> Check::check_names() {
  std::vector<std::pair<std::string, std::string>> tags;
  TRY(database_.read([&](meta::Transaction& transaction) -> Result<void> {
    tags = TRY(transaction.scan(kTagTable));
    return {};
  }));
  std::set<std::string> known;
  for (const auto& image : TRY(store_.list())) known.insert(image.id.to_string());
  for (const auto& [name, text] : tags) {
    const auto record = json::decode<TagRecord>(text);
    if (record && known.contains(record->id)) continue;
    add("name", name,
        record ? fmt::format("its image {} does not exist", record->id) : record.error().message(), {});
  }
  return {};
}

Result<void> Check::check_blob(const spec::Digest& digest, std::string_view kind,
                               const std::vector<const Image*>& images) {
  const auto bytes = store_.content().read(digest);
  if (!bytes.ok() && !is_damage(bytes.error())) return bytes.error();
  ++checked_.report.blobs;
  if (bytes.ok()) {
    checked_.report.bytes += bytes->size();
    return {};
  }
  // It may have gone with its image.
  std::vector<const Image*> left;
  for (const Image* image : images)
    if (store_.id_of(image->id.to_string()).ok()) left.push_back(image);
  if (!left.empty()) add(kind, digest.to_string(), bytes.error().message(), left);
  return {};
}

/// A compressed layer, in pieces: it may be large. Nobody misses one that is gone, as a push compresses anew.
Result<void> Check::check_kept(const spec::Digest& digest, const std::vector<const Image*>& images) {
  std::uint64_t bytes = 0;
  const auto read = [&]() -> Result<spec::Digest> {
    const sys::Fd file = TRY(store_.content().open_blob(digest));
    std::string piece(kPieceSize, '\0');
    spec::Hasher hasher;
    while (const std::size_t count = TRY(sys::read_some(file, piece.data(), piece.size()))) {
      if (stop_.stop_requested()) return Error(Kind::Cancelled, "context canceled");
      hasher.update(std::string_view(piece).substr(0, count));
      bytes += count;
    }
    return hasher.finish();
  };
  const auto found = read();
  if (!found.ok() && found.error().kind() == Kind::NotFound) return {};
  if (!found.ok() && !is_damage(found.error())) return found.error();
  ++checked_.report.blobs;
  checked_.report.bytes += bytes;
  if (found.ok() && *found == digest) return {};
  add("compressed layer", digest.to_string(),
      found.ok() ? fmt::format("its {} bytes have the digest {}", bytes, found->to_string())
                 : found.error().message(),
      images);
  return {};
}

Result<void> Check::check_blobs() {
  std::map<spec::Digest, std::vector<const Image*>> manifests;
  std::map<spec::Digest, std::vector<const Image*>> kept;
  std::set<spec::Digest> named;
  for (const auto& image : images_) {
    named.insert(image.id);
    TRY(check_blob(image.id, "image", {&image}));
    for (const auto& digest : image.manifests) manifests[digest].push_back(&image);
    for (const auto& digest : image.layer_blobs) kept[digest].push_back(&image);
  }
  for (const auto& [digest, users] : manifests) {
    named.insert(digest);
    TRY(check_blob(digest, "manifest", users));
  }
  for (const auto& [digest, users] : kept) {
    named.insert(digest);
    TRY(check_kept(digest, users));
  }
  for (const auto& blob : TRY(store_.content().list()))
    if (!named.contains(blob.digest) && now() - blob.put > kYoung)
      checked_.report.leftovers.push_back({"blob", blob.digest.to_string(), blob.bytes, false});
  return {};
}

/// A layer without an image goes soon.
void Check::add_served(const std::string& snapshot, const std::string& damage) {
  std::vector<const Image*> users;
  std::string diff_id;
  for (const auto& image : images_)
    for (const auto& layer : image.layers)
      if (layer.snapshot == snapshot) {
        users.push_back(&image);
        diff_id = layer.diff_id.to_string();
      }
  if (!users.empty()) add("layer", diff_id, damage, users, snapshot);
}

/// Layers of images first, as those name their diff ids; then what else has a chain id.
Result<std::vector<Subject>> Check::subjects() {
  std::map<std::string, Subject> found;
  std::map<std::string, std::string> chains;
  const auto snapshots = TRY(store_.snapshots().list());
  // Of those that are served each piece is verified when it is read; that one is not what its image says was
  // noted when it was here as a whole.
  std::map<std::string, std::string> served;  // key -> damage
  for (const auto& info : snapshots) {
    if (info.chain_id) chains[info.key] = info.chain_id->to_string();
    if (info.served) served[info.key] = info.damage;
  }
  for (const auto& [key, damage] : served)
    if (!damage.empty()) add_served(key, damage);
  for (const auto& image : images_)
    for (const auto& layer : image.layers) {
      if (served.contains(layer.snapshot)) continue;
      Subject& subject = found[layer.snapshot];
      subject.snapshot = layer.snapshot;
      subject.shown = layer.diff_id.to_string();
      subject.diff_id = layer.diff_id;
      subject.bytes = layer.bytes;
      if (subject.images.empty() || subject.images.back() != &image) subject.images.push_back(&image);
    }
  for (const auto& info : snapshots) {
    if (!info.chain_id || info.served || found.contains(info.key)) continue;
    Subject& subject = found[info.key];
    subject.snapshot = info.key;
    subject.shown = info.chain_id->to_string();
    subject.chain = info.chain_id;
    subject.parent_chain = chains[info.parent];
    subject.bytes = info.bytes;
  }
  std::vector<Subject> all;
  for (auto& [key, subject] : found) all.push_back(std::move(subject));
  return all;
}

/// Why the layer is damaged, "" when it is not.
Result<std::string> Check::problem_of(const Subject& subject, std::uint64_t* bytes) {
  const std::string directory = TRY(store_.snapshots().layer_directory(subject.snapshot));
  if (!sys::exists(directory)) return fmt::format("its folder {} is gone", directory);
  const std::string recipe = TRY(store_.snapshots().note(subject.snapshot, kRecipe));
  if (subject.snapshot.starts_with(kLayerPrefix) && !sys::exists(recipe))
    return fmt::format("its recipe {} is gone", recipe);
  const sys::Fd nowhere = TRY(sys::open_file("/dev/null", O_WRONLY));
  const auto tar = write_tar(store_.snapshots(), subject.snapshot, nowhere);
  if (!tar.ok()) return is_damage(tar.error()) ? Result<std::string>(tar.error().message()) : tar.error();
  *bytes = tar->bytes;
  if (subject.diff_id && tar->digest == *subject.diff_id) return std::string();
  if (subject.chain) {
    const auto chain =
        subject.parent_chain.empty()
            ? tar->digest
            : spec::oci::chain_ids({TRY(spec::Digest::parse(subject.parent_chain)), tar->digest}).back();
    if (chain == *subject.chain) return std::string();
  }
  return fmt::format("the {} bytes of its tar have the digest {}", tar->bytes, tar->digest.to_string());
}

Result<void> Check::check_layer(const Subject& subject) {
  std::uint64_t bytes = 0;
  auto problem = problem_of(subject, &bytes);
  const auto gone = [&] { return !store_.snapshots().info(subject.snapshot).ok(); };
  if (!problem.ok()) return gone() ? success() : problem.error();
  if (auto noted = store_.snapshots().set_damage(subject.snapshot, *problem); !noted.ok())
    return gone() ? success() : noted.error();
  const MutexLock lock(mutex_);
  ++checked_.report.layers;
  checked_.report.bytes += bytes;
  done_ += subject.bytes;
  meter_.show("Checking layers", done_, total_);
  if (!problem->empty()) add("layer", subject.shown, *std::move(problem), subject.images, subject.snapshot);
  return {};
}

Result<void> Check::check_layers() {
  const auto all = TRY(subjects());
  for (const auto& subject : all) total_ += subject.bytes;
  std::atomic<std::size_t> next = 0;
  std::optional<Error> failure;
  const auto work = [&] {
    for (std::size_t at = next++; at < all.size() && !stop_.stop_requested(); at = next++) {
      auto checked = check_layer(all[at]);
      if (checked.ok()) continue;
      const MutexLock lock(mutex_);
      failure = checked.error();
      next = all.size();
    }
  };
  std::vector<std::thread> threads;
  const auto count = std::clamp(std::thread::hardware_concurrency(), 1U, kMostThreads);
  for (unsigned i = 0; i < count; ++i) threads.emplace_back(work);
  for (auto& thread : threads) thread.join();
  if (failure) return *failure;
  if (stop_.stop_requested()) return Error(Kind::Cancelled, "context canceled");
  std::sort(checked_.findings.begin(), checked_.findings.end(), [](const Finding& a, const Finding& b) {
    return std::tie(a.damage.kind, a.damage.id, a.snapshot) <
           std::tie(b.damage.kind, b.damage.id, b.snapshot);
  });
  return {};
}

}  // namespace

Result<Checked> check(Store& store, meta::Database& database, Progress& progress,
                      const std::stop_token& stop) {
  return Check(store, database, progress, stop).run();
}

bool is_mended(Store& store, const Finding& finding) {
  if (!finding.snapshot.empty()) return store.snapshots().sound(finding.snapshot).ok();
  const auto digest = spec::Digest::parse(finding.damage.id);
  return digest.ok() && store.content().read(*digest).ok();
}

Result<void> drop_kept_layer(Store& store, const Finding& finding) {
  auto removed = store.content().remove(TRY(spec::Digest::parse(finding.damage.id)));
  // It went with its image meanwhile.
  if (!removed.ok() && removed.error().kind() == Kind::NotFound) return {};
  return removed;
}

Result<void> forget_name(meta::Database& database, const std::string& name) {
  return database.write([&](meta::Transaction& transaction) { return transaction.erase(kTagTable, name); });
}

}  // namespace skiff::image
