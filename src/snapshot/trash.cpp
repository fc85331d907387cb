#include "snapshot/trash.h"

#include <cerrno>
#include <cstdio>

#include "base/ids.h"
#include "base/log.h"
#include "sys/file.h"

namespace skiff::snapshot {

Result<std::unique_ptr<Trash>> Trash::open(std::string directory) {
  TRY(sys::make_directories(directory, 0700));
  std::unique_ptr<Trash> trash(new Trash(std::move(directory)));
  trash->thread_ = std::thread([pointer = trash.get()] { pointer->work(); });
  return trash;
}

Trash::~Trash() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

Result<void> Trash::take(const std::string& path) {
  const std::string target = directory_ + "/" + random_hex(8);
  if (::rename(path.c_str(), target.c_str()) != 0) {
    if (errno == ENOENT) return {};
    return fail_errno("rename {} to {}", path, target);
  }
  {
    const MutexLock lock(mutex_);
    pending_ = true;
  }
  changed_.notify_all();
  return {};
}

void Trash::take_sometime(const std::string& path) {
  std::set<std::string> waiting;
  {
    const MutexLock lock(mutex_);
    waiting.swap(missed_);
  }
  waiting.insert(path);
  for (const auto& each : waiting) {
    const auto taken = take(each);
    if (taken.ok()) continue;
    log::warning("{}", taken.error().message());
    const MutexLock lock(mutex_);
    missed_.insert(each);
  }
}

void Trash::drain() {
  MutexLock lock(mutex_);
  while (pending_ || busy_) lock.wait(changed_);
}

void Trash::work() {
  for (;;) {
    {
      MutexLock lock(mutex_);
      busy_ = false;
      changed_.notify_all();
      while (!pending_ && !stopping_) lock.wait(changed_);
      if (stopping_) return;
      pending_ = false;
      busy_ = true;
    }
    auto names = sys::list_directory(directory_);
    if (!names) {
      log::warning("trash: {}", names.error().message());
      continue;
    }
    for (const auto& name : *names) {
      {
        const MutexLock lock(mutex_);
        if (stopping_) return;
      }
      if (auto removed = sys::remove_tree(directory_ + "/" + name); !removed)
        log::warning("trash: {}", removed.error().message());
    }
  }
}

}  // namespace skiff::snapshot
