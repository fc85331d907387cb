#include "image/trust/policy.h"

#include <algorithm>
#include <optional>

#include "base/base64.h"
#include "base/strings.h"

namespace skiff::image {
namespace {

constexpr std::string_view kRegistries = "docker";
constexpr std::string_view kArchives = "docker-archive";

/// The part of a name that the scope at hand stands for becomes shorter until the host is left.
std::vector<std::string> scopes_of(const spec::Reference& image) {
  std::vector<std::string> scopes{image.to_string()};
  for (std::string name = image.name();;) {
    scopes.push_back(name);
    const auto slash = name.rfind('/');
    if (slash == std::string::npos) break;
    name.resize(slash);
  }
  std::string_view host = image.domain();
  host = host.substr(0, host.find(':'));
  for (auto dot = host.find('.'); dot != std::string_view::npos; dot = host.find('.')) {
    host.remove_prefix(dot + 1);
    scopes.push_back("*." + std::string(host));
  }
  scopes.emplace_back();
  return scopes;
}

bool same_repository(const spec::Reference& image, const spec::Reference& signed_name) {
  return image.name() == signed_name.name();
}

/// A signature may speak of a tag or of a digest, and must not leave both out.
bool same_name(const spec::Reference& image, const spec::Reference& signed_name) {
  if (signed_name.tag().empty() && !signed_name.digest()) return false;
  return image == signed_name;
}

/// `image` with `prefix` of its name replaced; nothing when its name does not begin so.
std::optional<spec::Reference> remapped(const spec::Reference& image, const std::string& prefix,
                                        const std::string& replacement) {
  const std::string name = image.name();
  if (!name.starts_with(prefix)) return image;
  const std::string rest = name.substr(prefix.size());
  if (!rest.empty() && rest.front() != '/') return image;
  auto renamed = spec::Reference::parse(replacement + image.to_string().substr(prefix.size()));
  return renamed.ok() ? std::optional(*renamed) : std::nullopt;
}

/// Why one requirement does not believe one signature; "" when it does.
std::string objection(const Requirement& requirement, const spec::Reference& image,
                      const std::vector<spec::Digest>& manifests, const Signature& signature) {
  const auto bytes = decode_base64(signature.signature);
  if (!bytes) return "a signature that is not base64";
  const auto verifies = [&](const PublicKey& key) { return key.verifies(signature.payload, *bytes); };
  if (std::none_of(requirement.keys.begin(), requirement.keys.end(), verifies))
    return "none of its signatures is by a key of the rule";
  const auto payload = parse_payload(signature.payload);
  if (!payload.ok()) return payload.error().message();
  if (std::find(manifests.begin(), manifests.end(), payload->manifest) == manifests.end())
    return fmt::format("its signature is one of {}", payload->manifest.to_string());
  if (!requirement.identity.accepts(image, payload->reference))
    return fmt::format("its signature is one for the name {}", quote(payload->reference));
  return "";
}

}  // namespace

bool SignedIdentity::accepts(const spec::Reference& image, std::string_view signed_text) const {
  const auto parsed = spec::Reference::parse(signed_text);
  if (!parsed.ok()) return false;
  const auto& signed_name = *parsed;
  const auto repo_digest_or_exact = [&](const spec::Reference& name) {
    return name.digest() ? same_repository(name, signed_name) : same_name(name, signed_name);
  };
  switch (kind) {
    case Kind::RepoDigestOrExact:
      return repo_digest_or_exact(image);
    case Kind::Exact:
      return same_name(image, signed_name);
    case Kind::Repository:
      return same_repository(image, signed_name);
    case Kind::ExactReference: {
      const auto wanted = spec::Reference::parse(reference);
      return wanted.ok() && same_name(*wanted, signed_name);
    }
    case Kind::ExactRepository: {
      const auto wanted = spec::Reference::parse(reference);
      return wanted.ok() && same_repository(*wanted, signed_name);
    }
    case Kind::Remap: {
      const auto renamed = remapped(image, prefix, signed_prefix);
      return renamed && repo_digest_or_exact(*renamed);
    }
  }
  return false;
}

const Rule* Policy::find(std::string_view transport, const std::string& scope) const {
  const auto scopes = transports_.find(transport);
  if (scopes == transports_.end()) return nullptr;
  const auto rule = scopes->second.find(scope);
  return rule == scopes->second.end() ? nullptr : &rule->second;
}

const Rule& Policy::registry_rule(const spec::Reference& image) const {
  for (const auto& scope : scopes_of(image))
    if (const Rule* rule = find(kRegistries, scope)) return *rule;
  return default_;
}

const Rule& Policy::archive_rule() const {
  const Rule* rule = find(kArchives, "");
  return rule ? *rule : default_;
}

Result<std::vector<Signature>> check_rule(const Rule& rule, const spec::Reference& image,
                                          const std::vector<spec::Digest>& manifests,
                                          const std::function<Result<std::vector<Signature>>()>& signatures) {
  std::optional<std::vector<Signature>> found;
  std::vector<Signature> believed;
  for (const auto& requirement : rule.requirements) {
    if (requirement.kind == Requirement::Kind::Accept) continue;
    if (requirement.kind == Requirement::Kind::Reject)
      return Error(Kind::Forbidden, "images of this scope are rejected");
    if (!found) found = TRY(signatures());
    std::string why = "it has no signature";
    for (const auto& signature : *found) {
      why = objection(requirement, image, manifests, signature);
      if (!why.empty()) continue;
      believed.push_back(signature);
      break;
    }
    if (!why.empty()) return Error(Kind::Forbidden, why);
  }
  return believed;
}

}  // namespace skiff::image
