#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>

#include "image/store.h"

/// Base images without a registry: a minimal Debian (or a distribution made like it) from the apt mirror that
/// this host uses.
namespace skiff::image {

struct BootstrapRequest {
  std::string
      reference;       ///< "debian:bookworm", "debian:bookworm-slim", "debian:sid"; the tag names the suite
  std::string mirror;  ///< the host's apt configuration says where when empty
  std::string cache_directory;  ///< <data root>/cache/bootstrap
  bool no_cache = false;        ///< build even when the same input was built before
  std::function<void(std::string_view line)> progress;
  const std::atomic<bool>* cancelled = nullptr;
};

/// Makes the image, or takes it from the cache when suite, variant, tool and the mirror's signed Release
/// files are those of an earlier run. The same input gives the same image id: every time in it is at most the
/// Release file's, and nothing of this machine is in it. Takes a minute or two; needs root and mmdebstrap or
/// debootstrap. InvalidArgument: a reference without a usable suite. NotFound: the mirror has no such suite.
/// Unsupported: no tool, or no mirror in the host's apt configuration. Unavailable: the mirror does not
/// answer, or the tool failed on it.
Result<Image> bootstrap(Store& store, const BootstrapRequest& request);

}  // namespace skiff::image
