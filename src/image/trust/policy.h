#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "image/trust/payload.h"
#include "image/trust/public_key.h"
#include "spec/digest.h"
#include "spec/reference.h"

namespace skiff::image {

/// Which name a signature has to speak of ("signedIdentity" of containers-policy.json(5)).
struct SignedIdentity {
  enum class Kind : std::uint8_t {
    RepoDigestOrExact,  ///< the same tag; the same repository when the image is asked for by digest
    Exact,              ///< the same tag or digest
    Repository,         ///< the same repository
    ExactReference,     ///< `reference`
    ExactRepository,    ///< the repository `reference`
    Remap,              ///< RepoDigestOrExact, once `prefix` of the image's name became `signed_prefix`
  };
  Kind kind = Kind::RepoDigestOrExact;
  std::string reference;
  std::string prefix;
  std::string signed_prefix;

  /// Whether a signature for `signed_name` is one for `image`.
  bool accepts(const spec::Reference& image, std::string_view signed_name) const;
};

/// One thing that a rule asks of an image.
struct Requirement {
  enum class Kind : std::uint8_t { Accept, Reject, Signed };
  Kind kind = Kind::Reject;
  std::vector<PublicKey> keys;  ///< of Signed: one of them
  SignedIdentity identity;      ///< of Signed
};

/// What is asked of the images of one scope: all of it.
struct Rule {
  std::string name;  ///< as people find it in the file: "docker registry.example/app", "default"
  std::vector<Requirement> requirements;
};

/// Rules about which images are taken, in the form of containers-policy.json(5): a default, and for a
/// transport rules by scope, the most specific of which counts. A value; never changed once read.
class Policy {
 public:
  /// Reads a file that the policy names ("keyPath").
  using ReadFile = std::function<Result<std::string>(const std::string& path)>;

  /// InvalidArgument for anything that is not understood whole, unknown members included: a rule that was
  /// misspelt must not become no rule.
  static Result<Policy> parse(std::string_view text, const ReadFile& read_file);

  /// The rule for an image of a registry: the full name with tag or digest, the repository, the name spaces
  /// above it, the host, "*." and the host's domains, "" for all of the transport, the default.
  const Rule& registry_rule(const spec::Reference& image) const;
  /// The rule for images out of archives.
  const Rule& archive_rule() const;

 private:
  const Rule* find(std::string_view transport, const std::string& scope) const;

  Rule default_;
  std::map<std::string, std::map<std::string, Rule>, std::less<>> transports_;
};

/// Checks an image against a rule. `manifests` are the digests under which its registry knows it: of its
/// manifest, and of the index that this stands in. `signatures` are asked for only when the rule needs
/// some; those that were believed come back. Forbidden, with the reason.
Result<std::vector<Signature>> check_rule(const Rule& rule, const spec::Reference& image,
                                          const std::vector<spec::Digest>& manifests,
                                          const std::function<Result<std::vector<Signature>>()>& signatures);

}  // namespace skiff::image
