#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "registry/client/challenge.h"
#include "registry/client/refusal.h"
#include "registry/client/urls.h"
#include "spec/manifest.h"

/// What a registry sends: manifests, indexes, challenges, refusals. Whatever it is, a document that is
/// accepted names every blob by a digest.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skiff;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  http::WebResponse response;
  response.status = 401;
  response.body = text;
  response.fields.add("WWW-Authenticate", std::string(text));
  (void)registry::parse_challenges(response.fields);
  (void)registry::refusal(response);
  (void)registry::join_url("https://host/v2/", text);
  const auto document = spec::oci::parse_document(text, "");
  if (!document.ok()) return 0;
  if (const auto* manifest = std::get_if<spec::oci::Manifest>(&*document)) {
    for (const auto& layer : manifest->layers)
      if (layer.digest.empty() || layer.size < 0) std::abort();
    return 0;
  }
  const auto& index = std::get<spec::oci::Index>(*document);
  (void)spec::oci::platforms_of(index);
  const auto* chosen = spec::oci::choose(index, spec::Platform::host());
  if (chosen && chosen->digest.empty()) std::abort();
  return 0;
}
