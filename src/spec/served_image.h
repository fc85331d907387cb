#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace skiff::spec {

/// An image that an engine lets a registry serve: a member of the answer to GET /skiff/registry/images.
struct ServedImage {
  std::vector<std::string> names;  ///< "busybox:latest", "ghcr.io/a/b:v1"
  std::string manifest;            ///< its very bytes: Docker's schema 2, the layers as plain tars
};

inline void describe(json::Fields& f, ServedImage& image) {
  f("Names", image.names);
  f("Manifest", image.manifest);
}

}  // namespace skiff::spec
