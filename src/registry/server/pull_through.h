#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/thread.h"
#include "registry/server/flight.h"
#include "registry/server/repositories.h"
#include "registry/server/uploads.h"
#include "registry/server/upstream.h"

namespace skiff::registry::server {

struct Call;

/// Repositories whose names begin with `prefix` are copies of an upstream's.
struct CacheSource {
  std::string prefix;  ///< "docker.io": docker.io/library/x is the upstream's library/x; "": every name
  std::shared_ptr<Upstream> upstream;
  std::chrono::seconds fresh{300};  ///< so long the upstream is not asked again what a tag stands for
};

/// A cache of other registries. What is asked for and not there is fetched once, however many ask, and kept
/// like anything that was pushed; an upstream that does not answer is made up for by what is there.
/// Thread-safe.
class PullThrough {
 public:
  PullThrough(Repositories& repositories, Uploads& uploads, std::vector<CacheSource> sources);

  /// True when the repository is a copy of an upstream's.
  bool covers(const std::string& name) const { return source_of(name) != nullptr; }
  /// The name under which "name" of the registry `domain` is kept; "" when that is no upstream of ours.
  std::string name_of(const std::string& domain, const std::string& name) const;

  /// What a tag stands for, asking the upstream if that was long ago. The manifest is here afterwards.
  Result<spec::Digest> resolve(const std::string& name, const std::string& tag);
  /// The manifest, fetched if it is not here.
  Result<StoredManifest> manifest(const std::string& name, const spec::Digest& digest);
  /// The upstream's tags, or those that are here when it does not answer.
  Result<std::vector<std::string>> tags(const std::string& name);
  /// A blob that is not here: fetched on its way to the caller and to all others who want it.
  std::shared_ptr<Flight> fetch_blob(const std::string& name, const spec::Digest& digest);
  /// A blob's size, as a manifest that was seen has it.
  std::optional<std::uint64_t> size_of(const spec::Digest& digest);

  /// Ends what is being fetched.
  void stop() { flights_.stop(); }

 private:
  const CacheSource* source_of(const std::string& name) const;
  static std::string upstream_name(const CacheSource& source, const std::string& name);
  Result<void> fetch_manifest(const CacheSource& source, const std::string& name, const std::string& tag,
                              const spec::Digest& digest, const std::stop_token& stop);
  Result<void> refresh(const CacheSource& source, const std::string& name, const std::string& tag,
                       const std::stop_token& stop);
  Result<void> receive_blob(const CacheSource& source, const std::string& name, const spec::Digest& digest,
                            Flight& flight, const std::stop_token& stop);
  void note_sizes(const ManifestFacts& facts);

  Repositories& repositories_;
  Uploads& uploads_;
  const std::vector<CacheSource> sources_;
  Mutex mutex_;
  std::map<spec::Digest, std::uint64_t> sizes_ GUARDED_BY(mutex_);
  Flights flights_;
};

/// Answers GET and HEAD of a blob that is not here, and fetches it on the way.
Result<void> serve_from_upstream(Call& call, PullThrough& cache, const spec::Digest& digest);

}  // namespace skiff::registry::server
