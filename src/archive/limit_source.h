#pragma once

#include <memory>

#include "archive/source.h"
#include "spec/layer_limits.h"

namespace skiff::archive {

/// Passes another source on and counts what went through.
class CountingSource final : public Source {
 public:
  explicit CountingSource(std::unique_ptr<Source> inner) : inner_(std::move(inner)) {}
  Result<std::string_view> next() override {
    const auto bytes = TRY(inner_->next());
    bytes_ += bytes.size();
    return bytes;
  }
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::unique_ptr<Source> inner_;
  std::uint64_t bytes_ = 0;
};

/// Passes an uncompressed archive on as far as the limits allow. Exhausted, naming the daemon's option, where
/// they end: a bomb is stopped while it is unpacked, whatever its headers say.
class LimitSource final : public Source {
 public:
  /// `compressed` is what `inner` decompresses, and lives in it; null when it is not compressed.
  LimitSource(std::unique_ptr<Source> inner, const CountingSource* compressed,
              const spec::LayerLimits& limits)
      : inner_(std::move(inner)), compressed_(compressed), limits_(limits) {}

  Result<std::string_view> next() override;

 private:
  std::unique_ptr<Source> inner_;
  const CountingSource* compressed_;
  const spec::LayerLimits limits_;
  std::uint64_t bytes_ = 0;
};

/// The sentence for an archive of more entries than `limits` allow.
Error too_many_entries(const spec::LayerLimits& limits);

}  // namespace skiff::archive
