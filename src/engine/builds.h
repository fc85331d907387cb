#pragma once

#include <stop_token>
#include <string>

#include "base/result.h"
#include "build/service.h"
#include "engine/parts.h"
#include "sys/fd.h"

namespace skiff::engine {

/// Builds from a context that arrives as a tar stream. Thread-safe.
class Builds {
 public:
  Builds(Parts& parts, build::Service& service, Events& events)
      : parts_(parts), service_(service), events_(events) {}

  /// Unpacks `tar` (plain, gzip or zstd) into a private directory by the archive worker, builds, and removes
  /// it again. request.context is filled in here. Words go to `progress`; the image's id comes back.
  Result<std::string> build(const sys::Fd& tar, build::Request request, build::Progress& progress,
                            std::stop_token stop);

 private:
  Parts& parts_;
  build::Service& service_;
  Events& events_;
};

}  // namespace skiff::engine
