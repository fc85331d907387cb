#include "image/trust/payload.h"

#include <algorithm>

#include "base/strings.h"

namespace skiff::image {
namespace {

constexpr std::string_view kType = "cosign container image signature";

/// The member `name` of an object, which has to be there.
Result<const json::Value*> member(const json::Object& object, std::string_view name) {
  if (const auto* value = object.if_contains(name)) return value;
  return fail(Kind::InvalidArgument, "the signed payload has no {}", quote(name));
}

Result<const json::Object*> object_of(const json::Object& object, std::string_view name) {
  if (const auto* found = TRY(member(object, name))->if_object()) return found;
  return fail(Kind::InvalidArgument, "{} of the signed payload is no object", quote(name));
}

Result<std::string> text_of(const json::Object& object, std::string_view name) {
  if (const auto* found = TRY(member(object, name))->if_string()) return std::string(*found);
  return fail(Kind::InvalidArgument, "{} of the signed payload is no text", quote(name));
}

/// Whoever does not know a critical member must not believe the rest.
Result<void> only(const json::Object& object, std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : object) {
    const std::string_view name(key.data(), key.size());
    if (std::find(known.begin(), known.end(), name) == known.end())
      return fail(Kind::InvalidArgument, "the signed payload has an unknown critical member {}", quote(name));
  }
  return {};
}

}  // namespace

void describe(json::Fields& f, Signature& signature) {
  f("payload", signature.payload);
  f("signature", signature.signature);
}

std::string signature_tag(const spec::Digest& manifest) {
  return fmt::format("{}-{}.sig", manifest.algorithm(), manifest.hex());
}

Result<Payload> parse_payload(std::string_view text) {
  const auto value = TRY_CONTEXT(json::parse(text), "the signed payload");
  const auto* root = value.if_object();
  if (!root) return Error(Kind::InvalidArgument, "the signed payload is no object");
  const auto& critical = *TRY(object_of(*root, "critical"));
  TRY(only(critical, {"type", "image", "identity"}));
  if (const auto type = TRY(text_of(critical, "type")); type != kType)
    return fail(Kind::InvalidArgument, "the signed payload is a {}, not a {}", quote(type), quote(kType));
  const auto& image = *TRY(object_of(critical, "image"));
  TRY(only(image, {"docker-manifest-digest"}));
  const auto& identity = *TRY(object_of(critical, "identity"));
  TRY(only(identity, {"docker-reference"}));
  Payload payload;
  payload.manifest =
      TRY_CONTEXT(spec::Digest::parse(TRY(text_of(image, "docker-manifest-digest"))), "the signed payload");
  payload.reference = TRY(text_of(identity, "docker-reference"));
  return payload;
}

}  // namespace skiff::image
