#pragma once

#include <map>
#include <set>

#include "base/log.h"
#include "base/thread.h"
#include "snapshot/record.h"
#include "snapshot/served.h"
#include "snapshot/store.h"
#include "snapshot/trash.h"

/// The store's inside: not for other folders.
namespace skiff::snapshot {

/// Layers as folders for overlayfs: <root>/<directory>/fs holds a layer's own files, work is overlay's
/// scratch folder while the snapshot is Active. Records are kept in memory and written through to the
/// database without waiting for the disk: a snapshot matters only once an image or a container names it, and
/// that commit waits for everything written before it.
class OverlayStore final : public Store {
 public:
  OverlayStore(std::string root, meta::Database& database, std::unique_ptr<Trash> trash)
      : root_(std::move(root)), database_(database), trash_(std::move(trash)) {}
  /// What is in no image yet survives an orderly end of the machine as well.
  ~OverlayStore() override {
    bool all_safe = false;
    {
      const MutexLock lock(mutex_);
      all_safe = unsynced_.empty();
      // Containers that run go on reading; the next engine has the files served anew.
      for (const auto& [key, record] : records_)
        if (record.served || retiring_.contains(key)) take_down(record);
    }
    if (all_safe) return;
    if (auto synced = sync_all(); !synced) log::warning("{}", synced.error().message());
  }

  Result<void> load() EXCLUDES(mutex_);

  Result<std::vector<spec::Mount>> prepare(const std::string& key, const std::string& parent) override;
  Result<std::vector<spec::Mount>> mounts(const std::string& key, Syncs syncs) override {
    TRY(serve_below(key));
    const MutexLock lock(mutex_);
    return mounts_of(*TRY(find(key)), syncs);
  }
  Result<std::vector<spec::Mount>> frozen(const std::string& key) override {
    TRY(serve_below(key));
    const MutexLock lock(mutex_);
    Record record = *TRY(find(key));
    record.committed = true;
    return mounts_of(record, Syncs::Honoured);
  }
  Result<std::string> layer_directory(const std::string& key) override {
    if (TRY(info(key)).served) TRY(serve_below(key));
    const MutexLock lock(mutex_);
    return shown_at(*TRY(find(key)));
  }
  Result<std::string> note(const std::string& key, std::string_view name) override {
    const MutexLock lock(mutex_);
    return directory_of(*TRY(find(key))) + "/note-" + std::string(name);
  }
  Result<void> commit(const std::string& key, const std::string& committed) override;
  Result<void> set_chain(const std::string& committed, const spec::Digest& chain_id,
                         std::uint64_t bytes) override;
  Result<std::optional<std::string>> find_chain(const spec::Digest& chain_id) override;
  Result<void> set_damage(const std::string& key, const std::string& damage) override;
  Result<void> sound(const std::string& key) override {
    const MutexLock lock(mutex_);
    return check_sound(*TRY(find(key)));
  }
  Result<void> exchange(const std::string& key, const std::string& with,
                        const std::set<std::string>& idle) override;
  Result<Info> info(const std::string& key) override {
    const MutexLock lock(mutex_);
    return info_of(key, *TRY(find(key)));
  }
  Result<std::vector<Info>> list() override;
  Result<void> remove(const std::string& key) override;
  Result<std::string> scratch() override;
  Result<void> adopt(const std::string& folder, const std::string& committed,
                     const std::string& parent) override {
    return adopt(folder, committed, parent, false);
  }
  void discard(const std::string& scratch) override { trash_->take_sometime(scratch); }
  Result<void> sync() override { return sync_all(); }
  Result<void> adopt_served(const std::string& folder, const std::string& committed,
                            const std::string& parent) override {
    return adopt(folder, committed, parent, true);
  }
  Result<void> fill(const std::string& key, const std::string& folder) override;
  Result<void> end_serving(const std::string& key) override {
    const MutexLock lock(mutex_);
    const Record& record = *TRY(find(key));
    retiring_.erase(key);
    return remove_served_place(directory_of(record));
  }
  void set_serve(Serve serve) override { serve_ = std::move(serve); }

 private:
  Result<void> sync_all() EXCLUDES(mutex_);
  Result<bool> booted_anew();
  Result<Record*> find(const std::string& key) REQUIRES(mutex_);
  Result<std::vector<spec::Mount>> mounts_of(const Record& record, Syncs syncs) REQUIRES(mutex_);
  static Result<void> forget_unsynced(const std::string& work);
  Result<Info> info_of(const std::string& key, const Record& record) const;
  std::string directory_of(const Record& record) const { return root_ + "/" + record.directory; }
  std::string files_of(const Record& record) const { return directory_of(record) + "/fs"; }
  /// Where its files can be seen.
  std::string shown_at(const Record& record) const {
    return record.served ? directory_of(record) + "/" + kServedPlace : files_of(record);
  }
  Result<void> adopt(const std::string& folder, const std::string& committed, const std::string& parent,
                     bool served) EXCLUDES(mutex_);
  Result<void> serve_below(const std::string& key) EXCLUDES(mutex_);
  void take_down(const Record& record) const;
  Result<void> clean_served(const Record& record) const;
  Result<void> make_layer(const Record& record, const Record* parent);
  Result<void> shape_root(const std::string& files, const Record* parent);
  Result<void> check_there(const Record& record) const;
  Result<void> check_sound(const Record& record) const;
  Result<bool> stands_on(const Record& record, const std::string& key) REQUIRES(mutex_);
  Result<bool> is_sound_stack(const std::string& key) REQUIRES(mutex_);
  Result<void> put(const std::string& key, const Record& record, meta::Durability durability);
  void index(const std::string& key, const Record& record) REQUIRES(mutex_);
  void unindex(const std::string& key, const Record& record) REQUIRES(mutex_);

  const std::string root_;
  meta::Database& database_;
  const std::unique_ptr<Trash> trash_;
  Mutex mutex_;
  std::map<std::string, Record> records_ GUARDED_BY(mutex_);
  std::map<std::string, std::set<std::string>> chains_ GUARDED_BY(mutex_);  ///< chain id -> keys
  std::map<std::string, std::size_t> children_ GUARDED_BY(mutex_);          ///< key -> how many
  std::set<std::string> unsynced_ GUARDED_BY(mutex_);
  std::set<std::string> retiring_ GUARDED_BY(mutex_);  ///< filled, and still mounted where they were served
  Serve serve_;
};

}  // namespace skiff::snapshot
