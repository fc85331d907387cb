#include "registry/server/registry_upstream.h"

#include <map>

#include "base/thread.h"

namespace skiff::registry::server {
namespace {

using spec::Digest;

/// Connections to so many repositories are kept.
constexpr std::size_t kMostRepositories = 1000;

class RegistryUpstream final : public Upstream {
 public:
  RegistryUpstream(std::string domain, Credentials credentials, Settings settings)
      : domain_(std::move(domain)), credentials_(std::move(credentials)), settings_(std::move(settings)) {}

  Result<Digest> resolve(const std::string& name, const std::string& tag,
                         const std::stop_token& stop) override {
    return TRY(TRY(repository(name, stop))->resolve(tag, stop)).digest;
  }

  Result<Manifest> manifest(const std::string& name, const Digest& digest,
                            const std::stop_token& stop) override {
    auto found = TRY(TRY(repository(name, stop))->manifest(digest.to_string(), stop));
    return Manifest{std::move(found.digest), std::move(found.media_type), std::move(found.bytes)};
  }

  Result<void> blob(const std::string& name, const Digest& digest, std::uint64_t offset, const ByteSink& sink,
                    const std::stop_token& stop) override {
    const auto take = [&](std::uint64_t at, std::string_view piece) -> Result<void> {
      // A server that knows no ranges begins anew: what is here already is passed over.
      const std::uint64_t known = offset > at ? offset - at : 0;
      if (known >= piece.size()) return {};
      offset += piece.size() - known;
      return sink(piece.substr(known));
    };
    return TRY(repository(name, stop))->read_blob(digest, {offset, {}, {}, {}}, take, stop);
  }

  Result<std::vector<std::string>> tags(const std::string& name, const std::stop_token& stop) override {
    return TRY(repository(name, stop))->tags(stop);
  }

 private:
  Result<std::shared_ptr<Repository>> repository(const std::string& name, const std::stop_token& stop) {
    {
      const MutexLock lock(mutex_);
      if (const auto found = repositories_.find(name); found != repositories_.end()) return found->second;
    }
    const auto reference = TRY(spec::Reference::parse(domain_ + "/" + name));
    auto connected = TRY(Repository::connect(reference, Purpose::Pull, credentials_, settings_, stop));
    const MutexLock lock(mutex_);
    if (repositories_.size() >= kMostRepositories) repositories_.clear();
    repositories_[name] = connected;
    return connected;
  }

  const std::string domain_;
  const Credentials credentials_;
  const Settings settings_;
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<Repository>> repositories_ GUARDED_BY(mutex_);
};

}  // namespace

std::shared_ptr<Upstream> make_registry_upstream(std::string domain, Credentials credentials,
                                                 Settings settings) {
  return std::make_shared<RegistryUpstream>(std::move(domain), std::move(credentials), std::move(settings));
}

}  // namespace skiff::registry::server
