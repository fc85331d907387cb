#pragma once

#include <chrono>
#include <functional>
#include <stop_token>

#include "base/result.h"
#include "registry/client/settings.h"

namespace skiff::image {

/// Sleeps before an attempt is repeated; false when somebody ended it meanwhile.
bool rest(std::chrono::milliseconds time, const std::stop_token& stop);

/// Does `work` as often as the settings allow while it is Unavailable: for requests with a body, which the
/// client of registries cannot repeat by itself. `say` hears of each pause beforehand. Cancelled when `stop`
/// says so.
template <typename T>
Result<T> repeat(const registry::Settings& settings, const std::stop_token& stop,
                 const std::function<Result<T>()>& work,
                 const std::function<void(std::chrono::seconds pause)>& say = {}) {
  auto pause = settings.first_pause;
  for (int attempt = 1;; ++attempt, pause *= 2) {
    auto done = work();
    if (done.ok() || done.error().kind() != Kind::Unavailable || attempt >= settings.attempts) return done;
    if (say) say(std::chrono::ceil<std::chrono::seconds>(pause));
    if (!rest(pause, stop)) return Error(Kind::Cancelled, "context canceled");
  }
}

}  // namespace skiff::image
