#pragma once

#include <stop_token>
#include <vector>

#include "image/trust/payload.h"
#include "registry/client/repository.h"

namespace skiff::image {

/// The signatures that a registry keeps beside the image whose manifests have these digests, as cosign puts
/// them there; none when it has none. Not verified. Bounded: more than some dozens, and large ones, are
/// passed over.
Result<std::vector<Signature>> fetch_signatures(registry::Repository& repository,
                                                const std::vector<spec::Digest>& manifests,
                                                const std::stop_token& stop);

}  // namespace skiff::image
