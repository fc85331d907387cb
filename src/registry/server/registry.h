#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "http/exchange.h"
#include "registry/server/access_log.h"
#include "registry/server/authentication.h"
#include "registry/server/call.h"
#include "registry/server/metrics.h"
#include "registry/server/pull_through.h"
#include "registry/server/quotas.h"
#include "registry/server/repositories.h"
#include "registry/server/storage.h"
#include "registry/server/uploads.h"

namespace skiff::registry::server {

struct RegistrySettings {
  bool read_only = false;
  std::chrono::seconds grace{3600};  ///< unused for so long, what nobody refers to is garbage
  AuthenticationSettings authentication;
  std::vector<Quota> quotas;
  std::vector<CacheSource> caches;  ///< of other registries
  std::string access_log;           ///< path, "-" for standard output, "" for none
};

/// A registry (OCI distribution specification 1.1) over a storage. Requests come from any number of threads.
class Registry {
 public:
  static Result<std::unique_ptr<Registry>> open(RegistrySettings settings, std::unique_ptr<Storage> storage);

  /// Serves a request of clients.
  void handle(http::Exchange& http);
  /// Serves /metrics and /healthz, on a listener of their own.
  void handle_monitoring(http::Exchange& http);

  const RegistrySettings& settings() const { return settings_; }
  Storage& storage() { return *storage_; }
  Repositories& repositories() { return repositories_; }
  Uploads& uploads() { return uploads_; }
  Quotas& quotas() { return quotas_; }
  Metrics& metrics() { return metrics_; }
  PullThrough& cache() { return cache_; }
  AccessLog* access_log() { return access_log_.get(); }

  /// A request is over, its answer sent.
  void note(const Outcome& outcome);

 private:
  Registry(RegistrySettings settings, std::unique_ptr<Storage> storage);

  Result<void> serve(Call& call);
  Result<void> refuse_access(Call& call, Action action);
  bool serve_monitoring(Call& call);

  const RegistrySettings settings_;
  const std::unique_ptr<Storage> storage_;
  Repositories repositories_;
  Uploads uploads_;
  Quotas quotas_;
  PullThrough cache_;
  Metrics metrics_;
  std::unique_ptr<Authentication> authentication_;
  std::unique_ptr<AccessLog> access_log_;
};

}  // namespace skiff::registry::server
