#pragma once

#include <map>
#include <string>

#include "base/thread.h"
#include "registry/server/storage.h"

namespace skiff::registry::server {

/// Storage in memory, for tests of what stands on it. `age()` lets time pass.
class MemoryStorage final : public Storage {
 public:
  Result<std::string> read(const std::string& key) override {
    const MutexLock lock(mutex_);
    const auto found = objects_.find(key);
    if (found == objects_.end()) return missing(key);
    return found->second.bytes;
  }
  Result<void> write(const std::string& key, std::string_view bytes) override {
    const MutexLock lock(mutex_);
    objects_[key] = {std::string(bytes), now()};
    return {};
  }
  Result<Info> stat(const std::string& key) override {
    const MutexLock lock(mutex_);
    const auto found = objects_.find(key);
    if (found == objects_.end()) return missing(key);
    return Info{found->second.bytes.size(), found->second.modified};
  }
  Result<void> touch(const std::string& key) override {
    const MutexLock lock(mutex_);
    const auto found = objects_.find(key);
    if (found == objects_.end()) return missing(key);
    found->second.modified = now();
    return {};
  }
  Result<void> remove(const std::string& key) override {
    const MutexLock lock(mutex_);
    if (objects_.erase(key) == 0) return missing(key);
    return {};
  }
  Result<Listing> list(const std::string& folder) override {
    const MutexLock lock(mutex_);
    Listing out;
    const std::string prefix = folder + "/";
    for (const auto& [key, object] : objects_) {
      if (!key.starts_with(prefix)) continue;
      const auto rest = key.substr(prefix.size());
      const auto slash = rest.find('/');
      if (slash == std::string::npos)
        out.objects.push_back(rest);
      else if (out.folders.empty() || out.folders.back() != rest.substr(0, slash))
        out.folders.push_back(rest.substr(0, slash));
    }
    return out;
  }
  Result<Content> open(const std::string& key) override {
    auto bytes = std::make_shared<const std::string>(TRY(read(key)));
    Content content;
    content.size = bytes->size();
    content.copy = [bytes](std::uint64_t first, std::uint64_t length, const ByteSink& sink) {
      return sink(std::string_view(*bytes).substr(first, length));
    };
    return content;
  }
  Result<std::unique_ptr<Incoming>> create_incoming(const std::string& key) override {
    const MutexLock lock(mutex_);
    incoming_[key] = {{}, now()};
    return std::make_unique<MemoryIncoming>(*this, key);
  }
  Result<std::unique_ptr<Incoming>> open_incoming(const std::string& key) override {
    const MutexLock lock(mutex_);
    if (!incoming_.contains(key)) return missing(key);
    return std::make_unique<MemoryIncoming>(*this, key);
  }
  Result<void> remove_incoming(const std::string& key) override {
    const MutexLock lock(mutex_);
    if (incoming_.erase(key) == 0) return missing(key);
    return {};
  }
  Result<std::vector<std::pair<std::string, Time>>> list_incoming() override {
    const MutexLock lock(mutex_);
    std::vector<std::pair<std::string, Time>> out;
    for (const auto& [key, object] : incoming_) out.emplace_back(key, object.modified);
    return out;
  }

  /// Everything that is there now is older by `duration`.
  void age(std::chrono::seconds duration) {
    const MutexLock lock(mutex_);
    for (auto& [key, object] : objects_) object.modified -= duration;
    for (auto& [key, object] : incoming_) object.modified -= duration;
  }

 private:
  struct Object {
    std::string bytes;
    Time modified;
  };

  class MemoryIncoming final : public Incoming {
   public:
    MemoryIncoming(MemoryStorage& storage, std::string key) : storage_(storage), key_(std::move(key)) {}
    std::uint64_t size() const override {
      const MutexLock lock(storage_.mutex_);
      return storage_.incoming_.at(key_).bytes.size();
    }
    Result<void> append(std::string_view bytes) override {
      const MutexLock lock(storage_.mutex_);
      storage_.incoming_[key_].bytes += bytes;
      return {};
    }
    Result<void> suspend() override { return {}; }
    Result<void> read(std::uint64_t first, std::uint64_t length, const ByteSink& sink) override {
      std::string bytes;
      {
        const MutexLock lock(storage_.mutex_);
        const auto found = storage_.incoming_.find(key_);
        if (found == storage_.incoming_.end()) return missing(key_);
        bytes = found->second.bytes.substr(first, length);
      }
      return sink(bytes);
    }
    Result<void> commit(const std::string& key) override {
      const MutexLock lock(storage_.mutex_);
      storage_.objects_[key] = {storage_.incoming_[key_].bytes, now()};
      storage_.incoming_.erase(key_);
      return {};
    }

   private:
    MemoryStorage& storage_;
    const std::string key_;
  };

  static Error missing(const std::string& key) { return fail(Kind::NotFound, "{}: not found", key); }

  mutable Mutex mutex_;
  std::map<std::string, Object> objects_ GUARDED_BY(mutex_);
  std::map<std::string, Object> incoming_ GUARDED_BY(mutex_);
};

}  // namespace skiff::registry::server
