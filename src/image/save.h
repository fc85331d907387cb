#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "image/store.h"
#include "spec/platform.h"

namespace skiff::image {

/// What is saved of an image: it, and the names under which it is to be found again.
struct Saved {
  Image image;
  std::vector<spec::Reference> names;
};

/// What `names` mean to `docker save`: a name without a tag is all tags of the repository, an id is an image
/// without a name. Each image comes once, with all names that were asked for. NotFound: "No such image: x"
/// and, for an image of another platform than `platform`, "no suitable export target found for platform x".
Result<std::vector<Saved>> choose_saved(Store& store, const std::vector<std::string>& names,
                                        const std::optional<spec::Platform>& platform);

/// Writes a tar of images to `out`: an OCI layout (oci-layout, index.json, blobs) that is Docker's own format
/// as well (manifest.json, repositories). The same images always give the same bytes. DataLoss for a layer
/// that is damaged; `out` has a part of the archive then. The layers of `without`, by diff id, are left out:
/// for a load() by an engine that has them.
Result<void> save(Store& store, const std::vector<Saved>& images, const sys::Fd& out,
                  const std::set<spec::Digest>& without = {});

}  // namespace skiff::image
