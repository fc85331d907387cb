#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "image/trust/policy.h"

/// What decides about images: a policy, which an administrator writes, and a signed payload, which comes from
/// a registry. A payload that is taken names an image; a policy that is taken has a rule for every image, and
/// no rule without a requirement.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skiff;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto payload = image::parse_payload(text); payload.ok() && payload->manifest.empty())
    std::abort();
  (void)image::PublicKey::parse(text);
  const auto policy = image::Policy::parse(
      text, [&](const std::string&) -> Result<std::string> { return std::string(text); });
  if (!policy.ok()) return 0;
  for (const char* name : {"busybox", "a.example:5000/b/c:d"}) {
    const auto image = spec::Reference::parse(name);
    const auto& rule = policy->registry_rule(*image);
    if (rule.requirements.empty()) std::abort();
    const auto checked = image::check_rule(rule, *image, {}, [&]() -> Result<std::vector<image::Signature>> {
      return std::vector<image::Signature>{{std::string(text), std::string(text)}};
    });
    // Nothing is signed by anybody here.
    for (const auto& requirement : rule.requirements)
      if (requirement.kind != image::Requirement::Kind::Accept && checked.ok()) std::abort();
  }
  if (policy->archive_rule().requirements.empty()) std::abort();
  return 0;
}
