#include <fcntl.h>

#include <cstdio>

#include "snapshot/overlay_store.h"
#include "sys/file.h"

/// Layers whose files are served before they are here (served.h), until they are.
namespace skiff::snapshot {

using meta::Durability;

/// Without a lock: whoever serves may have to be started.
Result<void> OverlayStore::serve_below(const std::string& key) {
  std::vector<std::string> directories;
  {
    const MutexLock lock(mutex_);
    for (std::string at = key; !at.empty();) {
      const Record* record = TRY(find(at));
      // Of an ordinary layer a part is damaged; this one is not what the image's maker said.
      if (record->served) {
        TRY(check_sound(*record));
        directories.push_back(directory_of(*record));
      }
      at = record->parent;
    }
  }
  if (directories.empty()) return {};
  if (!serve_) return fail(Kind::Unavailable, "nobody serves the files of {}", directories.front());
  return serve_(directories);
}

void OverlayStore::take_down(const Record& record) const {
  if (auto removed = remove_served_place(directory_of(record)); !removed)
    log::warning("{}", removed.error().message());
}

/// What is of no use once the files are here. Whoever still serves them has it open. The note that tells that
/// there is something to remove goes last.
Result<void> OverlayStore::clean_served(const Record& record) const {
  const std::string note = directory_of(record) + "/" + kServedNote;
  if (!sys::exists(note)) return {};
  for (const auto& name : TRY(sys::list_directory(directory_of(record))))
    if (name.starts_with(std::string(kServedNote) + "-"))
      TRY(sys::remove_tree(directory_of(record) + "/" + name));
  return sys::remove_tree(note);
}

Result<void> OverlayStore::fill(const std::string& key, const std::string& folder) {
  TRY(sync());
  const MutexLock lock(mutex_);
  Record record = *TRY(find(key));
  if (!record.served) return fail(Kind::Conflict, "snapshot {} has its files", key);
  TRY(shape_root(folder + "/fs", record.parent.empty() ? nullptr : TRY(find(record.parent))));
  const std::string directory = directory_of(record);
  for (const auto& name : TRY(sys::list_directory(folder)))
    if (name.starts_with("note-") &&
        ::rename((folder + "/" + name).c_str(), (directory + "/" + name).c_str()) != 0)
      return fail_errno("rename {}/{}", folder, name);
  // Exchanged, because a crash behind this leaves files in it and the record as it was.
  if (::renameat2(AT_FDCWD, (folder + "/fs").c_str(), AT_FDCWD, files_of(record).c_str(), RENAME_EXCHANGE) !=
      0)
    return fail_errno("exchange {}/fs and {}", folder, files_of(record));
  TRY(sys::sync_directory(directory));
  record.served = false;
  TRY(put(key, record, Durability::Full));
  retiring_.insert(key);
  records_[key] = record;
  // The files are here, whatever else is; the next engine tries again.
  if (auto cleaned = clean_served(record); !cleaned) log::warning("{}", cleaned.error().message());
  return {};
}

}  // namespace skiff::snapshot
