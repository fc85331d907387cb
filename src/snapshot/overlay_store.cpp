#include "snapshot/overlay_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/ids.h"
#include "base/undo.h"
#include "sys/file.h"

namespace skiff::snapshot {

namespace {

using meta::Durability;
using meta::Transaction;

constexpr std::string_view kTable = "snapshots";
constexpr std::string_view kBootTable = "snapshot_boot";
constexpr const char* kBootId = "/proc/sys/kernel/random/boot_id";
constexpr const char* kTrash = "trash";
constexpr mode_t kLayerRootMode = 0755;

}  // namespace

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
  const bool anew = TRY(booted_anew());
  std::set<std::string> known = {kTrash};
  std::vector<std::string> lost;
  for (const auto& [key, text] : rows) {
    auto record = TRY_CONTEXT(json::decode<Record>(text), "record of snapshot {}", key);
    // A later commit took the record to the disk, and nothing its files: no image has it, but a cache may.
    if (anew && record.unsynced) {
      lost.push_back(key);
      continue;
    }
    if (!sys::exists(files_of(record))) {
      // A layer of an image keeps its place: the same files can be fetched again.
      const bool keep = record.committed && !record.chain.empty();
      log::warning("snapshot {}: its folder {} is gone{}", key, files_of(record),
                   keep ? "" : ", forgetting it");
      if (!keep) {
        lost.push_back(key);
        continue;
      }
    }
    if (record.unsynced) unsynced_.insert(key);
    known.insert(record.directory);
    // The end of a commit that a crash came into.
    if (record.committed) TRY(sys::remove_tree(directory_of(record) + "/work"));
    // What a former engine's process mounted is not ours to hand out, nor is anybody to be kept waiting by
    // it.
    if (auto removed = remove_served_place(directory_of(record)); !removed)
      log::warning("{}", removed.error().message());
    if (!record.served) TRY(clean_served(record));
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

/// Whether the machine has gone down since the last time, in whatever way.
Result<bool> OverlayStore::booted_anew() {
  const std::string now = TRY(sys::read_file(kBootId));
  std::string before;
  TRY(database_.read([&](Transaction& transaction) -> Result<void> {
    before = TRY(transaction.get(kBootTable, "id")).value_or("");
    return {};
  }));
  if (before != now)
    TRY(database_.write([&](Transaction& transaction) { return transaction.put(kBootTable, "id", now); },
                        Durability::Relaxed));
  return !before.empty() && before != now;
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
  if (parent) TRY(check_there(*parent));
  if (parent && ::stat(files_of(*parent).c_str(), &status) != 0)
    return fail_errno("stat {}", files_of(*parent));
  if ((status.st_uid != 0 || status.st_gid != 0) && ::chown(files.c_str(), status.st_uid, status.st_gid) != 0)
    return fail_errno("chown {}", files);
  if (::chmod(files.c_str(), status.st_mode & 07777) != 0) return fail_errno("chmod {}", files);
  return {};
}

Result<std::vector<spec::Mount>> OverlayStore::prepare(const std::string& key, const std::string& parent) {
  if (!parent.empty()) TRY(serve_below(parent));
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
  TRY(put(key, record, Durability::Relaxed));
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
                                 const std::string& parent, bool served) {
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
  record.committed = record.unsynced = true;
  record.served = served;
  const std::string directory = directory_of(record);
  if (::rename(folder.c_str(), directory.c_str()) != 0) return fail_errno("rename {}", folder);
  UndoStack undo;
  undo.add([&] { (void)sys::remove_tree(directory); });
  TRY(put(committed, record, Durability::Relaxed));
  undo.dismiss();
  index(committed, record);
  records_.emplace(committed, std::move(record));
  unsynced_.insert(committed);
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
    spec::Mount mount{"", "bind", shown_at(record), {"bind", record.committed ? "ro" : "rw"}};
    return std::vector<spec::Mount>{std::move(mount)};
  }
  spec::Mount mount{"", "overlay", "overlay", {}};
  if (record.committed) mount.options.push_back("ro");
  // Without redirect_dir and metacopy the upper directory holds every changed file whole, which is what a
  // layer is made from; without index a lower folder may serve any number of overlays.
  for (const char* option : {"index=off", "redirect_dir=off", "metacopy=off"})
    mount.options.push_back(option);
  if (record.committed) mount.options.push_back("lowerdir+=" + shown_at(record));
  for (std::string at = record.parent; !at.empty();) {
    const Record* layer = TRY(find(at));
    TRY(check_there(*layer));
    mount.options.push_back("lowerdir+=" + shown_at(*layer));
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
  record.committed = record.unsynced = true;
  TRY(database_.write(
      [&](Transaction& transaction) -> Result<void> {
        TRY(transaction.erase(kTable, key));
        return transaction.put(kTable, committed, json::encode(record));
      },
      Durability::Relaxed));
  records_.erase(key);
  const std::string work = directory_of(record) + "/work";
  records_.emplace(committed, std::move(record));
  unsynced_.insert(committed);
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
  TRY(put(committed, record, Durability::Relaxed));
  unindex(committed, before);
  index(committed, record);
  records_[committed] = std::move(record);
  return {};
}

Result<std::optional<std::string>> OverlayStore::find_chain(const spec::Digest& chain_id) {
  const MutexLock lock(mutex_);
  const auto found = chains_.find(chain_id.to_string());
  if (found == chains_.end()) return std::optional<std::string>();
  for (const auto& key : found->second)
    if (TRY(is_sound_stack(key))) return std::optional<std::string>(key);
  return std::optional<std::string>();
}

Result<void> OverlayStore::check_there(const Record& record) const {
  if (sys::exists(files_of(record))) return {};
  return fail(Kind::DataLoss, "layer {} is damaged: its folder {} is gone",
              record.chain.empty() ? record.directory : record.chain, files_of(record));
}

Result<void> OverlayStore::check_sound(const Record& record) const {
  if (!record.damage.empty())
    return fail(Kind::DataLoss, "layer {} is damaged: {}", record.chain, record.damage);
  return check_there(record);
}

Result<bool> OverlayStore::is_sound_stack(const std::string& key) {
  for (std::string at = key; !at.empty();) {
    const Record* record = TRY(find(at));
    if (record->served || !check_sound(*record)) return false;
    at = record->parent;
  }
  return true;
}

Result<bool> OverlayStore::stands_on(const Record& record, const std::string& key) {
  for (std::string at = record.parent; !at.empty(); at = TRY(find(at))->parent)
    if (at == key) return true;
  return false;
}

Result<void> OverlayStore::put(const std::string& key, const Record& record, Durability durability) {
  return database_.write(
      [&](Transaction& transaction) { return transaction.put(kTable, key, json::encode(record)); },
      durability);
}

Result<void> OverlayStore::set_damage(const std::string& key, const std::string& damage) {
  const MutexLock lock(mutex_);
  Record record = *TRY(find(key));
  if (!record.committed) return fail(Kind::Conflict, "snapshot {} is not committed", key);
  if (record.damage == damage) return {};
  record.damage = damage;
  TRY(put(key, record, Durability::Full));
  records_[key] = std::move(record);
  return {};
}

/// The folders change places, so that paths that somebody was given lead to the one or the other, whole.
Result<void> OverlayStore::exchange(const std::string& key, const std::string& with,
                                    const std::set<std::string>& idle) {
  TRY(sync());
  const MutexLock lock(mutex_);
  Record record = *TRY(find(key));
  const Record other = *TRY(find(with));
  if (!record.committed || !other.committed)
    return fail(Kind::Conflict, "snapshot {} is not committed", record.committed ? with : key);
  for (const auto& [name, active] : records_)
    if (!active.committed && !idle.contains(name) && TRY(stands_on(active, key)))
      return fail(Kind::Conflict, "snapshot {} is in use by {}", key, name);
  const std::string here = directory_of(record);
  const std::string there = directory_of(other);
  const unsigned flags = sys::exists(here) ? RENAME_EXCHANGE : RENAME_NOREPLACE;
  if (::renameat2(AT_FDCWD, there.c_str(), AT_FDCWD, here.c_str(), flags) != 0)
    return fail_errno("exchange {} and {}", here, there);
  TRY(sys::sync_directory(root_));
  record.damage.clear();
  // The place and the notes went along.
  record.served = false;
  TRY(put(key, record, Durability::Full));
  take_down(other);
  records_[key] = std::move(record);
  return {};
}

Result<Info> OverlayStore::info_of(const std::string& key, const Record& record) const {
  Info info;
  info.key = key;
  info.state = record.committed ? State::Committed : State::Active;
  info.parent = record.parent;
  if (!record.chain.empty()) info.chain_id = TRY(spec::Digest::parse(record.chain));
  info.bytes = record.bytes;
  info.damage = record.damage;
  info.served = record.served;
  info.directory = directory_of(record);
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
    if (record.served || retiring_.contains(key)) take_down(record);
    TRY(trash_->take(directory_of(record)));
    taken_away = true;
    trash_->drain();
    forgotten = forget();
  }
  TRY(std::move(forgotten));
  if (record.served || retiring_.erase(key) > 0) take_down(record);
  unindex(key, record);
  records_.erase(key);
  unsynced_.erase(key);
  if (taken_away) return {};
  trash_->take_sometime(directory_of(record));  // the record is gone: nobody will ask again
  return {};
}

Result<void> OverlayStore::sync_all() {
  std::set<std::string> fresh;
  {
    const MutexLock lock(mutex_);
    fresh = unsynced_;
  }
  const sys::Fd root = TRY(sys::open_directory(root_));
  if (::syncfs(root.get()) != 0) return fail_errno("syncfs {}", root_);
  const MutexLock lock(mutex_);
  std::erase_if(fresh, [&](const std::string& key) { return !unsynced_.contains(key); });
  if (fresh.empty()) return {};
  for (const auto& key : fresh) records_[key].unsynced = false;
  TRY(database_.write(
      [&](Transaction& transaction) -> Result<void> {
        for (const auto& key : fresh) TRY(transaction.put(kTable, key, json::encode(records_[key])));
        return {};
      },
      Durability::Relaxed));
  for (const auto& key : fresh) unsynced_.erase(key);
  return {};
}

Result<std::unique_ptr<Store>> Store::open(const std::string& root, meta::Database& database) {
  TRY(sys::make_directories(root, 0700));
  sys::spread_folders(root);
  auto trash = TRY(Trash::open(root + "/" + kTrash));
  auto store = std::make_unique<OverlayStore>(root, database, std::move(trash));
  TRY(store->load());
  return store;
}

}  // namespace skiff::snapshot
