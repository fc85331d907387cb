#include "lazy/range_source.h"

#include <condition_variable>
#include <mutex>
#include <optional>

#include "base/thread.h"
#include "registry/client/endpoint.h"
#include "registry/client/repository.h"

namespace skiff::lazy {
namespace {

bool rest(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any condition;
  std::unique_lock lock(mutex);
  condition.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

class RegistrySource final : public RangeSource {
 public:
  RegistrySource(spec::Reference name, spec::Digest blob, registry::Credentials credentials,
                 const registry::Settings& settings)
      : name_(std::move(name)),
        blob_(std::move(blob)),
        credentials_(std::move(credentials)),
        settings_(settings),
        once_(settings) {
    // The repetition is here, where another way can be taken in between.
    once_.attempts = 1;
  }

  Result<std::string> read(std::uint64_t offset, std::size_t size, const std::stop_token& stop) override {
    auto wait = settings_.first_pause;
    for (int attempt = 1;; ++attempt) {
      auto bytes = read_once(offset, size, stop);
      if (bytes.ok() || attempt >= settings_.attempts || stop.stop_requested()) return bytes;
      if (!rest(wait, stop)) return Error(Kind::Cancelled, "context canceled");
      wait *= 2;
    }
  }

 private:
  /// The way that was good the last time, else each in its order.
  Result<std::string> read_once(std::uint64_t offset, std::size_t size, const std::stop_token& stop) {
    if (const auto known = good()) {
      auto bytes = known->read_range(blob_, offset, size, stop);
      if (bytes.ok() || bytes.error().kind() == Kind::Cancelled) return bytes;
    }
    std::optional<Error> last;
    for (const auto& way : TRY(registry::endpoints(name_.domain(), registry::Purpose::Pull, settings_))) {
      auto opened =
          registry::Repository::open(way, name_, registry::Purpose::Pull, credentials_, once_, stop);
      auto bytes = opened.ok() ? (*opened)->read_range(blob_, offset, size, stop)
                               : Result<std::string>(opened.error());
      if (bytes.ok()) {
        const MutexLock lock(mutex_);
        good_ = std::move(*opened);
        return bytes;
      }
      last = bytes.error();
      if (last->kind() == Kind::Cancelled) break;
    }
    return *last;
  }

  std::shared_ptr<registry::Repository> good() {
    const MutexLock lock(mutex_);
    return good_;
  }

  const spec::Reference name_;
  const spec::Digest blob_;
  const registry::Credentials credentials_;
  const registry::Settings& settings_;
  registry::Settings once_;
  Mutex mutex_;
  std::shared_ptr<registry::Repository> good_ GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<RangeSource> registry_source(spec::Reference name, spec::Digest blob,
                                             registry::Credentials credentials,
                                             const registry::Settings& settings) {
  return std::make_unique<RegistrySource>(std::move(name), std::move(blob), std::move(credentials), settings);
}

}  // namespace skiff::lazy
