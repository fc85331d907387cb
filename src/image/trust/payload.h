#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "spec/digest.h"

namespace skiff::image {

/// A signature as a registry keeps it beside an image (cosign's SIGNATURE_SPEC.md): a layer of the manifest
/// at the tag "sha256-<hex>.sig", whose bytes are what was signed and whose annotation is the signature.
struct Signature {
  std::string payload;
  std::string signature;  ///< base64
  friend bool operator==(const Signature&, const Signature&) = default;
};
void describe(json::Fields& f, Signature& signature);

inline constexpr std::string_view kSignatureMediaType = "application/vnd.dev.cosign.simplesigning.v1+json";
inline constexpr const char* kSignatureAnnotation = "dev.cosignproject.cosign/signature";

/// The tag at which signatures of `manifest` are kept.
std::string signature_tag(const spec::Digest& manifest);

/// What a payload says (containers-signature(5), "JSON data format").
struct Payload {
  spec::Digest manifest;  ///< which image is signed
  std::string reference;  ///< under which name, often without a tag
};

/// InvalidArgument: no JSON, members missing or of another type, or a signature for something else. Members
/// below "critical" that nobody knows are refused, since they may narrow what is signed.
Result<Payload> parse_payload(std::string_view text);

}  // namespace skiff::image
