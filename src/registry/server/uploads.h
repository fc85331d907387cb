#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/thread.h"
#include "registry/server/repositories.h"
#include "registry/server/storage.h"
#include "spec/digest.h"

namespace skiff::registry::server {

/// Blobs on their way in, each under an id, bound to the repository it was begun for. Their bytes outlive the
/// program; what is remembered here only spares reading them again. Thread-safe.
class Uploads {
 public:
  explicit Uploads(Storage& storage) : storage_(storage) {}

  /// One upload while one request works on it; others of the same id wait meanwhile.
  class Session {
   public:
    Session(Uploads& uploads, std::string id, std::string key, std::unique_ptr<Incoming> incoming)
        : uploads_(uploads), id_(std::move(id)), key_(std::move(key)), incoming_(std::move(incoming)) {}
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    const std::string& id() const { return id_; }
    std::uint64_t size() const { return incoming_->size(); }
    Result<void> append(std::string_view bytes);
    /// What came so far, also while others append; once the upload has ended it may be NotFound.
    Result<void> read(std::uint64_t first, std::uint64_t length, const ByteSink& sink) {
      return incoming_->read(first, length, sink);
    }
    /// The end of a request that is not the last one: the bytes stay.
    Result<void> suspend() { return incoming_->suspend(); }
    /// Checks the digest, makes the bytes a blob of the repository, and ends the upload. InvalidArgument when
    /// the digest is another one: then nothing is stored and the upload is gone.
    Result<void> commit(Repositories& repositories, const std::string& name, const spec::Digest& digest);
    /// Ends the upload and forgets its bytes.
    Result<void> cancel();

   private:
    Result<spec::Digest> digest_as(std::string_view algorithm);

    Uploads& uploads_;
    const std::string id_;
    const std::string key_;
    std::unique_ptr<Incoming> incoming_;
    bool ended_ = false;
  };

  Result<std::unique_ptr<Session>> begin(const std::string& name);
  /// NotFound; Conflict when another request works on it and goes on doing so for `kPatience`: one that has
  /// just been answered ends at once, one whose client is gone may take a while to notice.
  Result<std::unique_ptr<Session>> resume(const std::string& name, const std::string& id);
  /// Removes what has not grown for `age`; how many that were.
  Result<int> expire(std::chrono::seconds age);

 private:
  /// The sha256 of an upload's first bytes.
  struct Progress {
    bool busy = false;
    std::uint64_t hashed = 0;
    std::optional<spec::Hasher> hasher;
    std::chrono::steady_clock::time_point used;
  };

  static constexpr std::chrono::seconds kPatience{5};

  Result<void> claim(const std::string& key, std::chrono::seconds patience);
  void release(const std::string& key, bool ended);
  void forget_old() REQUIRES(mutex_);

  Storage& storage_;
  Mutex mutex_;
  std::condition_variable released_;
  std::map<std::string, Progress> progress_ GUARDED_BY(mutex_);
};

}  // namespace skiff::registry::server
