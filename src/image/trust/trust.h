#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/thread.h"
#include "image/store.h"
#include "image/trust/origins.h"
#include "image/trust/policy.h"
#include "meta/database.h"
#include "spec/reference.h"

namespace skiff::image {

inline constexpr const char* kDefaultPolicy = "/etc/skiff/policy.json";

/// Which images may come here and be run, by the policy in force: asked before anything of an image is
/// downloaded, before an archive is read, and before a container or a build begins with an image. What was
/// made here (built, committed, imported) is always taken. Signatures are kept as they were believed and
/// verified anew at each use, so that a key that is taken out of the policy counts no more. Without a policy
/// everything is taken. Thread-safe.
class Trust {
 public:
  /// Reads the policy; "" is kDefaultPolicy, which may be missing. Errors name the file.
  static Result<std::unique_ptr<Trust>> open(meta::Database& database, const std::string& file);

  /// Reads the file anew; on an error the policy stays as it was. That one in force has no file any more is
  /// an error too. What is in force is logged.
  Result<void> reload() EXCLUDES(mutex_);

  /// Whether `image` may be pulled, whose manifests have these digests; `signatures` fetches what its
  /// registry has. What was believed comes back, to be recorded. Forbidden: "image x is refused by the rule
  /// ...".
  Result<std::vector<Signature>> check_pull(
      const spec::Reference& image, const std::vector<spec::Digest>& manifests,
      const std::function<Result<std::vector<Signature>>()>& signatures);
  /// Whether images out of archives may be loaded.
  Result<void> check_load();
  /// Whether an image that is here may be used. One that came under several names may if one of them will do.
  Result<void> check_use(const Image& image);

  Origins& origins() { return origins_; }

 private:
  Trust(meta::Database& database, const std::string& file)
      : origins_(database), file_(file.empty() ? kDefaultPolicy : file), must_exist_(!file.empty()) {}
  std::shared_ptr<const Policy> policy() EXCLUDES(mutex_);
  Error refusal(std::string_view image, const Rule& rule, std::string_view why) const;
  Result<void> check_pulls(const Policy& policy, const Image& image, const std::vector<PulledAs>& pulls);

  Origins origins_;
  const std::string file_;
  const bool must_exist_;
  Mutex mutex_;
  std::shared_ptr<const Policy> policy_ GUARDED_BY(mutex_);  ///< null: everything is taken
};

/// Reads and checks a policy file, and the keys that it names.
Result<Policy> read_policy(const std::string& file);

}  // namespace skiff::image
