#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "spec/oci_image.h"
#include "spec/platform.h"

/// The documents that say what an image is made of: a manifest (config and layers of one platform) or an
/// index (a manifest for each platform), in OCI's and in Docker's media types.
namespace skiff::spec::oci {

/// A manifest or an index, read from its bytes.
using Document = std::variant<Manifest, Index>;

/// Reads the bytes of a manifest or an index. What it is stands in its own "mediaType", else in
/// `content_type` (a header or a descriptor; may be ""), else shows in its members. InvalidArgument: no such
/// document, one that says two things about what it is (image-spec security advisory GHSA-77vh-xpmg-72qh),
/// or a layer without digest. Unsupported: Docker's schema 1, and media types of other things.
Result<Document> parse_document(std::string_view bytes, std::string_view content_type);

bool is_index(std::string_view media_type);
bool is_manifest(std::string_view media_type);
/// A layer that holds files, in any compression, the ones that may not be distributed included.
bool is_layer(std::string_view media_type);
/// Layers that lie elsewhere ("foreign", "nondistributable") and are not pushed.
bool is_foreign_layer(std::string_view media_type);
/// True for an image's config; an artifact's manifest has another one.
bool is_image_config(std::string_view media_type);

/// Every media type that parse_document() reads, for the Accept header.
std::string accepted_manifests();

/// The manifest of `index` that is best for `wanted`: its very variant before the same architecture without
/// one, the first of equals. Null when none will do. Attestations ("unknown/unknown") are no choice.
const Descriptor* choose(const Index& index, const Platform& wanted);
/// The platforms that an index has images for, "linux/amd64", each once and in its order.
std::vector<std::string> platforms_of(const Index& index);

}  // namespace skiff::spec::oci
