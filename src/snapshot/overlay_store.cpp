#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <set>

#include "base/ids.h"
#include "base/log.h"
#include "base/thread.h"
#include "base/undo.h"
#include "snapshot/record.h"
#include "snapshot/store.h"
#include "snapshot/trash.h"
#include "sys/file.h"

namespace skiff::snapshot {

namespace {

using meta::Durability;
using meta::Transaction;

constexpr std::string_view kTable = "snapshots";
constexpr const char* kTrash = "trash";
constexpr mode_t kLayerRootMode = 0755;

/// Layers as folders for overlayfs: <root>/<directory>/fs holds a layer's own files, work is overlay's
/// scratch folder while the snapshot is Active. Records are kept in memory and written through to the
/// database without waiting for the disk: a snapshot matters only once an image or a container names it, and
/// that commit waits for everything written before it.
class OverlayStore final : public Store {
 public:
  OverlayStore(std::string root, meta::Database& database, std::unique_ptr<Trash> trash)
      : root_(std::move(root)), database_(database), trash_(std::move(trash)) {}

  Result<void> load() EXCLUDES(mutex_);

  Result<std::vector<spec::Mount>> prepare(const std::string& key, const std::string& parent) override;
  Result<std::vector<spec::Mount>> mounts(const std::string& key, Syncs syncs) override {
    const MutexLock lock(mutex_);
    return mounts_of(*TRY(find(key)), syncs);
  }
  Result<std::vector<spec::Mount>> frozen(const std::string& key) override {
    const MutexLock lock(mutex_);
    Record record = *TRY(find(key));
    record.committed = true;
    return mounts_of(record, Syncs::Honoured);
  }
  Result<std::string> layer_directory(const std::string& key) override {
    const MutexLock lock(mutex_);
    return files_of(*TRY(find(key)));
  }
  Result<std::string> note(const std::string& key, std::string_view name) override {
    const MutexLock lock(mutex_);
    return directory_of(*TRY(find(key))) + "/note-" + std::string(name);
  }
  Result<void> commit(const std::string& key, const std::string& committed) override;
  Result<void> set_chain(const std::string& committed, const spec::Digest& chain_id,
                         std::uint64_t bytes) override;
  Result<std::optional<std::string>> find_chain(const spec::Digest& chain_id) override;
  Result<Info> info(const std::string& key) override {
    const MutexLock lock(mutex_);
    return info_of(key, *TRY(find(key)));
  }
  Result<std::vector<Info>> list() override;
  Result<void> remove(const std::string& key) override;
  Result<std::string> scratch() override;
  Result<void> adopt(const std::string& folder, const std::string& committed,
                     const std::string& parent) override;
  void discard(const std::string& scratch) override {
    if (auto taken = trash_->take(scratch); !taken) log::warning("{}", taken.error().message());
  }
  Result<void> sync() override;

 private:
  Result<Record*> find(const std::string& key) REQUIRES(mutex_);
  Result<std::vector<spec::Mount>> mounts_of(const Record& record, Syncs syncs) REQUIRES(mutex_);
  static Result<void> forget_unsynced(const std::string& work);
  static Result<Info> info_of(const std::string& key, const Record& record);
  std::string directory_of(const Record& record) const { return root_ + "/" + record.directory; }
  std::string files_of(const Record& record) const { return directory_of(record) + "/fs"; }
  Result<void> make_layer(const Record& record, const Record* parent);
  Result<void> shape_root(const std::string& files, const Record* parent);
  void index(const std::string& key, const Record& record) REQUIRES(mutex_);
  void unindex(const std::string& key, const Record& record) REQUIRES(mutex_);

  const std::string root_;
  meta::Database& database_;
  const std::unique_ptr<Trash> trash_;
  Mutex mutex_;
  std::map<std::string, Record> records_ GUARDED_BY(mutex_);
  std::map<std::string, std::set<std::string>> chains_ GUARDED_BY(mutex_);  ///< chain id -> keys
  std::map<std::string, std::size_t> children_ GUARDED_BY(mutex_);          ///< key -> how many
};

void OverlayStore::index(const std::string& key, const Record& record) {
  if (!record.parent.empty()) ++children_[record.parent];
  if (!record.chain.empty()) chains_[record.chain].insert(key);
}

void OverlayStore::unindex(const std::string& key, const Record& record) {
  if (const auto found = children_.find(record.parent); found != children_.end() && --found->second == 0)
    children_.erase(found);
  if (const auto found = chains_.find(record.chain); found != chains_.end()) {
    found->second.erase(key);
    if (found->second.empty()) chains_.erase(found);
  }
}

Result<void> OverlayStore::load() {
  const MutexLock lock(mutex_);
  std::vector<std::pair<std::string, std::string>> rows;
  TRY(database_.read([&](Transaction& transaction) -> Result<void> {
    rows = TRY(transaction.scan(kTable));
    return {};
  }));
  std::set<std::string> known = {kTrash};
  std::vector<std::string> lost;
  for (const auto& [key, text] : rows) {
    auto record = TRY_CONTEXT(json::decode<Record>(text), "record of snapshot {}", key);
    known.insert(record.directory);
    if (!sys::exists(files_of(record))) {
      log::warning("snapshot {}: its folder {} is gone, forgetting it", key, files_of(record));
      lost.push_back(key);
      continue;
    }
    index(key, record);
    records_.emplace(key, std::move(record));
  }
  if (!lost.empty()) {
    TRY(database_.write(
        [&](Transaction& transaction) -> Result<void> {
          for (const auto& key : lost) TRY(transaction.erase(kTable, key));
          return {};
        },
        Durability::Relaxed));
  }
  // Folders without a record: a crash came between making the one and writing the other.
  for (const auto& name : TRY(sys::list_directory(root_)))
    if (!known.contains(name)) TRY(trash_->take(root_ + "/" + name));
  return {};
}

Result<Record*> OverlayStore::find(const std::string& key) {
  const auto found = records_.find(key);
  if (found == records_.end()) return fail(Kind::NotFound, "snapshot {} does not exist", key);
  return &found->second;
}

Result<void> OverlayStore::make_layer(const Record& record, const Record* parent) {
  const std::string directory = directory_of(record);
  const std::string files = files_of(record);
  for (const auto& path : {directory, files, directory + "/work"})
    if (::mkdir(path.c_str(), 0700) != 0) return fail_errno("mkdir {}", path);
  return shape_root(files, parent);
}

/// The root folder of an overlay shows the owner and mode of its upper directory.
Result<void> OverlayStore::shape_root(const std::string& files, const Record* parent) {
  struct stat status {};
  status.st_mode = kLayerRootMode;
  if (parent && ::stat(files_of(*parent).c_str(), &status) != 0)
    return fail_errno("stat {}", files_of(*parent));
  if ((status.st_uid != 0 || status.st_gid != 0) && ::chown(files.c_str(), status.st_uid, status.st_gid) != 0)
    return fail_errno("chown {}", files);
  if (::chmod(files.c_str(), status.st_mode & 07777) != 0) return fail_errno("chmod {}", files);
  return {};
}

Result<std::vector<spec::Mount>> OverlayStore::prepare(const std::string& key, const std::string& parent) {
  const MutexLock lock(mutex_);
  if (key.empty()) return fail(Kind::InvalidArgument, "a snapshot needs a key");
  if (records_.contains(key)) return fail(Kind::Conflict, "snapshot {} already exists", key);
  const Record* below = nullptr;
  if (!parent.empty()) {
    below = TRY_CONTEXT(find(parent), "prepare {}", key);
    if (!below->committed)
      return fail(Kind::Conflict, "snapshot {} cannot be a parent before it is committed", parent);
  }
  Record record;
  record.directory = random_hex(6);
  record.parent = parent;
  UndoStack undo;
  undo.add([&] { (void)sys::remove_tree(directory_of(record)); });
  TRY(make_layer(record, below));
  TRY(database_.write(
      [&](Transaction& transaction) { return transaction.put(kTable, key, json::encode(record)); },
      Durability::Relaxed));
  undo.dismiss();
  index(key, record);
  return mounts_of(records_.emplace(key, std::move(record)).first->second, Syncs::Honoured);
}

Result<std::string> OverlayStore::scratch() {
  std::string path = root_ + "/scratch-" + random_hex(6);
  if (::mkdir(path.c_str(), 0700) != 0) return fail_errno("mkdir {}", path);
  return path;
}

Result<void> OverlayStore::adopt(const std::string& folder, const std::string& committed,
                                 const std::string& parent) {
  const MutexLock lock(mutex_);
  if (records_.contains(committed)) return fail(Kind::Conflict, "snapshot {} already exists", committed);
  const Record* below = nullptr;
  if (!parent.empty()) {
    below = TRY_CONTEXT(find(parent), "adopt {}", committed);
    if (!below->committed)
      return fail(Kind::Conflict, "snapshot {} cannot be a parent before it is committed", parent);
  }
  for (const auto& path : {folder, folder + "/fs"}) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return fail_errno("stat {}", path);
    if (!S_ISDIR(status.st_mode)) return fail(Kind::InvalidArgument, "{} is no folder", path);
  }
  TRY(shape_root(folder + "/fs", below));
  Record record;
  record.directory = random_hex(6);
  record.parent = parent;
  record.committed = true;
  const std::string directory = directory_of(record);
  if (::rename(folder.c_str(), directory.c_str()) != 0) return fail_errno("rename {}", folder);
  UndoStack undo;
  undo.add([&] { (void)sys::remove_tree(directory); });
  TRY(database_.write(
      [&](Transaction& transaction) { return transaction.put(kTable, committed, json::encode(record)); },
      Durability::Relaxed));
  undo.dismiss();
  index(committed, record);
  records_.emplace(committed, std::move(record));
  return {};
}

/// A "volatile" overlay leaves a mark that keeps the kernel from mounting its directories again, since they
/// may lack what a crash took (Documentation/filesystems/overlayfs.rst, "Volatile mount"). Who asks for such
/// mounts has said that nothing depends on it.
Result<void> OverlayStore::forget_unsynced(const std::string& work) {
  return sys::remove_tree(work + "/work/incompat");
}

Result<std::vector<spec::Mount>> OverlayStore::mounts_of(const Record& record, Syncs syncs) {
  const std::string files = files_of(record);
  if (record.parent.empty()) {
    spec::Mount mount{"", "bind", files, {"bind", record.committed ? "ro" : "rw"}};
    return std::vector<spec::Mount>{std::move(mount)};
  }
  spec::Mount mount{"", "overlay", "overlay", {}};
  if (record.committed) mount.options.push_back("ro");
  // Without redirect_dir and metacopy the upper directory holds every changed file whole, which is what a
  // layer is made from; without index a lower folder may serve any number of overlays.
  for (const char* option : {"index=off", "redirect_dir=off", "metacopy=off"})
    mount.options.push_back(option);
  if (record.committed) mount.options.push_back("lowerdir+=" + files);
  for (std::string at = record.parent; !at.empty();) {
    const Record* layer = TRY(find(at));
    mount.options.push_back("lowerdir+=" + files_of(*layer));
    at = layer->parent;
  }
  if (!record.committed) {
    mount.options.push_back("upperdir=" + files);
    const std::string work = directory_of(record) + "/work";
    mount.options.push_back("workdir=" + work);
    if (syncs == Syncs::Ignored) {
      TRY(forget_unsynced(work));
      mount.options.push_back("volatile");
    }
  }
  return std::vector<spec::Mount>{std::move(mount)};
}

Result<void> OverlayStore::commit(const std::string& key, const std::string& committed) {
  const MutexLock lock(mutex_);
  Record record = *TRY(find(key));
  if (record.committed) return fail(Kind::Conflict, "snapshot {} is committed already", key);
  if (key != committed && records_.contains(committed))
    return fail(Kind::Conflict, "snapshot {} already exists", committed);
  record.committed = true;
  TRY(database_.write(
      [&](Transaction& transaction) -> Result<void> {
        TRY(transaction.erase(kTable, key));
        return transaction.put(kTable, committed, json::encode(record));
      },
      Durability::Relaxed));
  records_.erase(key);
  const std::string work = directory_of(record) + "/work";
  records_.emplace(committed, std::move(record));
  // overlay leaves a folder of mode 0 in it, and possibly half-copied files after a crash.
  if (auto removed = sys::remove_tree(work); !removed) log::warning("{}", removed.error().message());
  return {};
}

Result<void> OverlayStore::set_chain(const std::string& committed, const spec::Digest& chain_id,
                                     std::uint64_t bytes) {
  const MutexLock lock(mutex_);
  Record record = *TRY(find(committed));
  if (!record.committed) return fail(Kind::Conflict, "snapshot {} is not committed", committed);
  const Record before = record;
  record.chain = chain_id.to_string();
  record.bytes = bytes;
  TRY(database_.write(
      [&](Transaction& transaction) { return transaction.put(kTable, committed, json::encode(record)); },
      Durability::Relaxed));
  unindex(committed, before);
  index(committed, record);
  records_[committed] = std::move(record);
  return {};
}

Result<std::optional<std::string>> OverlayStore::find_chain(const spec::Digest& chain_id) {
  const MutexLock lock(mutex_);
  const auto found = chains_.find(chain_id.to_string());
  if (found == chains_.end()) return std::optional<std::string>();
  return std::optional<std::string>(*found->second.begin());
}

Result<Info> OverlayStore::info_of(const std::string& key, const Record& record) {
  Info info;
  info.key = key;
  info.state = record.committed ? State::Committed : State::Active;
  info.parent = record.parent;
  if (!record.chain.empty()) info.chain_id = TRY(spec::Digest::parse(record.chain));
  info.bytes = record.bytes;
  return info;
}

Result<std::vector<Info>> OverlayStore::list() {
  const MutexLock lock(mutex_);
  std::vector<Info> infos;
  infos.reserve(records_.size());
  for (const auto& [key, record] : records_) infos.push_back(TRY(info_of(key, record)));
  return infos;
}

Result<void> OverlayStore::remove(const std::string& key) {
  const MutexLock lock(mutex_);
  const Record record = *TRY(find(key));
  if (const auto found = children_.find(key); found != children_.end())
    return fail(Kind::Conflict, "snapshot {} still has {} on top of it", key, found->second);
  const auto forget = [&] {
    return database_.write([&](Transaction& transaction) { return transaction.erase(kTable, key); },
                           Durability::Relaxed);
  };
  auto forgotten = forget();
  bool taken_away = false;
  if (!forgotten.ok() && forgotten.error().kind() == Kind::Exhausted) {
    // On a full disk even that takes room, which the files give. A record without them goes at the next
    // start.
    TRY(trash_->take(directory_of(record)));
    taken_away = true;
    trash_->drain();
    forgotten = forget();
  }
  TRY(std::move(forgotten));
  unindex(key, record);
  records_.erase(key);
  if (taken_away) return {};
  // The record is gone, so should this fail, the folder goes at the next start.
  if (auto taken = trash_->take(directory_of(record)); !taken) log::warning("{}", taken.error().message());
  return {};
}

Result<void> OverlayStore::sync() {
  const sys::Fd root = TRY(sys::open_directory(root_));
  if (::syncfs(root.get()) != 0) return fail_errno("syncfs {}", root_);
  return {};
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const std::string& root, meta::Database& database) {
  TRY(sys::make_directories(root, 0700));
  auto trash = TRY(Trash::open(root + "/" + kTrash));
  auto store = std::make_unique<OverlayStore>(root, database, std::move(trash));
  TRY(store->load());
  return store;
}

}  // namespace skiff::snapshot
