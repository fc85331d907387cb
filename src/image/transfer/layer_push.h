#pragma once

#include <optional>
#include <stop_token>

#include "archive/source.h"
#include "base/result.h"
#include "image/store.h"
#include "image/transfer/blob_ledger.h"
#include "image/transfer/progress.h"
#include "registry/client/repository.h"

namespace skiff::image {

/// Sees to it that a repository has layers, in the cheapest way: it has one already, another repository of
/// the same registry has it, or it is sent. Thread-safe.
class LayerPush {
 public:
  LayerPush(Store& store, BlobLedger& ledger, const registry::Settings& settings,
            registry::Repository& repository, std::optional<archive::Compression> compression,
            Progress& progress)
      : store_(store),
        ledger_(ledger),
        settings_(settings),
        repository_(repository),
        compression_(compression),
        progress_(progress) {}

  /// The blob that the repository has the layer as.
  Result<KnownBlob> run(const Layer& layer, const std::stop_token& stop);

 private:
  Result<std::optional<KnownBlob>> find(const Layer& layer, const std::vector<KnownBlob>& known,
                                        const std::stop_token& stop);
  Result<std::optional<KnownBlob>> mount(const Layer& layer, const std::vector<KnownBlob>& known,
                                         const std::stop_token& stop);
  std::optional<KnownBlob> kept(const std::vector<KnownBlob>& known) const;
  Result<KnownBlob> send(const Layer& layer, const std::optional<KnownBlob>& kept,
                         const std::stop_token& stop);
  Result<KnownBlob> send_kept(const Layer& layer, const KnownBlob& blob, const std::stop_token& stop);
  Result<KnownBlob> send_once(const Layer& layer, const std::stop_token& stop);
  KnownBlob here(const KnownBlob& blob) const;
  bool will_do(const KnownBlob& blob) const;

  Store& store_;
  BlobLedger& ledger_;
  const registry::Settings& settings_;
  registry::Repository& repository_;
  const std::optional<archive::Compression> compression_;  ///< the only one that will do
  Progress& progress_;
};

}  // namespace skiff::image
