#include "registry/server/caretaker.h"

#include <algorithm>

#include "base/log.h"
#include "base/strings.h"
#include "registry/server/collector.h"

namespace skiff::registry::server {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

namespace {

/// How often old uploads are looked for, unless they become old sooner.
constexpr nanoseconds kLongest = std::chrono::hours(1);

}  // namespace

Caretaker::Caretaker(Registry& registry, CareSettings settings)
    : registry_(registry),
      settings_(settings),
      thread_([this](const std::stop_token& stop) { work(stop); }) {}

Caretaker::~Caretaker() {
  thread_.request_stop();
  {
    const MutexLock lock(mutex_);
    stop_ = true;
    woken_.notify_all();
  }
  thread_.join();
}

void Caretaker::collect_now() {
  const MutexLock lock(mutex_);
  collect_ = true;
  woken_.notify_all();
}

void Caretaker::work(const std::stop_token& stop) {
  const bool expires = settings_.upload_expiry > nanoseconds(0);
  const nanoseconds pause = expires ? std::min(settings_.upload_expiry, kLongest) : kLongest;
  const auto later = [](nanoseconds duration) {
    return duration > nanoseconds(0) ? SteadyClock::now() + duration : SteadyClock::time_point::max();
  };
  auto next_collection = later(settings_.interval);
  auto next_expiry = expires ? SteadyClock::now() : SteadyClock::time_point::max();
  while (true) {
    bool asked = false;
    {
      MutexLock lock(mutex_);
      const auto next = std::min({next_collection, next_expiry, SteadyClock::now() + kLongest});
      while (!stop_ && !collect_ && SteadyClock::now() < next) lock.wait_until(woken_, next);
      if (stop_) return;
      asked = std::exchange(collect_, false);
    }
    if (SteadyClock::now() >= next_expiry) {
      expire();
      next_expiry = SteadyClock::now() + pause;
    }
    if (asked || SteadyClock::now() >= next_collection) {
      collect(stop);
      next_collection = later(settings_.interval);
    }
  }
}

void Caretaker::expire() {
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(settings_.upload_expiry);
  const auto expired = registry_.uploads().expire(age);
  if (!expired.ok()) return log::error("old uploads: {}", expired.error().message());
  if (*expired > 0) log::info("{} uploads were given up", *expired);
  registry_.metrics().uploads_expired += static_cast<std::uint64_t>(*expired);
}

void Caretaker::collect(const std::stop_token& stop) {
  const auto collected = Collector(registry_.repositories(), settings_.collect_untagged).run(stop);
  registry_.quotas().forget();
  if (!collected.ok()) {
    if (collected.error().kind() != Kind::Cancelled)
      log::error("garbage collection: {}", collected.error().message());
    return;
  }
  auto& metrics = registry_.metrics();
  ++metrics.collections;
  metrics.collected_blobs += static_cast<std::uint64_t>(collected->blobs);
  metrics.collected_bytes += collected->bytes;
  log::info("garbage collection: {} manifests, {} links, {} blobs ({}) removed", collected->manifests,
            collected->links, collected->blobs, human_size(static_cast<double>(collected->bytes)));
}

}  // namespace skiff::registry::server
