#include "image/trust/policy.h"

#include "image/trust/signer_test.h"

namespace skiff::image {
namespace {

using signing::Signer;

const spec::Digest kManifest = spec::Digest::of("manifest");

Result<Policy> parse(const std::string& text) {
  return Policy::parse(text, [](const std::string& path) -> Result<std::string> {
    return fail(Kind::NotFound, "open {}: No such file or directory", path);
  });
}

std::string refusal(const std::string& text) {
  const auto policy = parse(text);
  return policy.ok() ? "taken" : policy.error().message();
}

spec::Reference reference(const std::string& text) { return *spec::Reference::parse(text); }

/// Why `signatures` do not satisfy the rule for `image`; "" when they do.
std::string why_not(const Policy& policy, const std::string& image, std::vector<Signature> signatures) {
  const auto name = reference(image);
  const auto checked = check_rule(policy.registry_rule(name), name, {kManifest},
                                  [&]() -> Result<std::vector<Signature>> { return signatures; });
  if (checked.ok()) return "";
  EXPECT_EQ(checked.error().kind(), Kind::Forbidden);
  return checked.error().message();
}

std::string signed_policy(const Signer& signer, const std::string& more = "") {
  return fmt::format(R"({{"default":[{{"type":"sigstoreSigned","keyData":"{}"{}}}]}})",
                     encode_base64(signer.pem()), more);
}

TEST(Policy, TheMostSpecificScopeCounts) {
  const auto policy = *parse(R"({"default": [{"type": "reject"}], "transports": {
      "docker": {"registry.example:5000/team/app:v1": [{"type": "insecureAcceptAnything"}],
                 "registry.example:5000/team/app": [{"type": "reject"}],
                 "registry.example:5000/team": [{"type": "reject"}],
                 "docker.io/library": [{"type": "insecureAcceptAnything"}],
                 "*.corp.example": [{"type": "insecureAcceptAnything"}]},
      "docker-archive": {"": [{"type": "insecureAcceptAnything"}]},
      "atomic": {"x": [{"type": "reject"}]}}})");
  const auto rule = [&](const std::string& name) { return policy.registry_rule(reference(name)).name; };
  EXPECT_EQ(rule("registry.example:5000/team/app:v1"), "docker registry.example:5000/team/app:v1");
  EXPECT_EQ(rule("registry.example:5000/team/app:v2"), "docker registry.example:5000/team/app");
  EXPECT_EQ(rule("registry.example:5000/team/sub/other"), "docker registry.example:5000/team");
  EXPECT_EQ(rule("registry.example:5000/teams"), "default");
  EXPECT_EQ(rule("registry.example/team/app:v1"), "default");
  EXPECT_EQ(rule("busybox"), "docker docker.io/library");
  EXPECT_EQ(rule("someone/busybox"), "default");
  EXPECT_EQ(rule("a.b.corp.example:99/x"), "docker *.corp.example");
  EXPECT_EQ(rule("corp.example/x"), "default");
  EXPECT_EQ(policy.archive_rule().name, "docker-archive");
}

TEST(Policy, ARuleForAllOfATransport) {
  const auto policy = *parse(
      R"({"default": [{"type": "reject"}], "transports": {"docker": {"": [{"type": "insecureAcceptAnything"}]}}})");
  EXPECT_EQ(policy.registry_rule(reference("x/y")).name, "docker");
  EXPECT_EQ(policy.archive_rule().name, "default");
}

TEST(Policy, WhatIsNotUnderstoodIsRefusedByItsPlace) {
  EXPECT_EQ(refusal("{}"), R"(the policy needs the rule "default")");
  EXPECT_EQ(refusal("[]"), "the policy must be an object");
  EXPECT_EQ(refusal(R"({"default": []})"),
            R"(the rule "default" must be a list of at least one requirement)");
  EXPECT_EQ(refusal(R"({"default": [{"type": "rejekt"}]})"),
            R"(requirement 1 of the rule "default" has the unknown type "rejekt")");
  EXPECT_EQ(refusal(R"({"default": [{"type": "reject", "x": 1}]})"),
            R"(requirement 1 of the rule "default" has the unknown member "x" (known: type))");
  EXPECT_EQ(refusal(R"({"default": [{"type": "reject"}], "transport": {}})"),
            R"(the policy has the unknown member "transport" (known: default, transports))");
  EXPECT_EQ(refusal(R"({"default": [{"type": "signedBy", "keyType": "GPGKeys"}]})"),
            R"(requirement 1 of the rule "default": "signedBy" is not supported; use sigstoreSigned)");
  EXPECT_EQ(refusal(R"({"default": [{"type": "sigstoreSigned"}]})"),
            R"(requirement 1 of the rule "default" needs one of keyPath, keyData, keyPaths and keyDatas)");
  EXPECT_EQ(refusal(R"({"default": [{"type": "sigstoreSigned", "keyPath": "/none"}]})"),
            R"(keyPath of requirement 1 of the rule "default": open /none: No such file or directory)");
  EXPECT_EQ(refusal(R"({"default": [{"type": "sigstoreSigned", "keyData": "eHl6"}]})"),
            R"(keyData of requirement 1 of the rule "default": no public key in PEM form)");
  EXPECT_EQ(
      refusal(R"({"default": [{"type": "sigstoreSigned", "fulcio": {}}]})"),
      R"(requirement 1 of the rule "default": "fulcio" is not supported; name a key by keyPath or keyData)");
  EXPECT_EQ(
      refusal(signed_policy(Signer(),
                            R"(,"signedIdentity":{"type":"exactRepository","dockerRepository":"x:1"})")),
      R"("dockerRepository" of signedIdentity of requirement 1 of the rule "default" must not have a tag or digest: "x:1")");
}

/// The answer to a policy with one rule at this place.
std::string refusal_at(const std::string& transport, const std::string& scope) {
  return refusal(fmt::format(
      R"({{"default":[{{"type":"reject"}}],"transports":{{"{}":{{"{}":[{{"type":"reject"}}]}}}}}})",
      transport, scope));
}

TEST(Policy, ARuleThatNoImageCanMeetIsRefused) {
  for (const std::string scope :
       {"", "*.example", "*.corp.example", "docker.io", "docker.io/library", "docker.io/library/busybox",
        "docker.io/library/busybox:1", "localhost", "localhost:5000/x", "registry.example:5000",
        "registry.example/team/app:v1"})
    EXPECT_EQ(refusal_at("docker", scope), "taken") << scope;
  EXPECT_EQ(refusal_at("docker", "registry.example/app@" + kManifest.to_string()), "taken");
  for (const std::string scope :
       {"busybox", "library/busybox", "registry.example/Team", "registry.example/team/",
        "https://registry.example", "*", "*.example:5000", "*.example/team", "registry.*", "index.docker.io"})
    EXPECT_TRUE(refusal_at("docker", scope).starts_with("no image has the scope \"" + scope + "\"")) << scope;
  EXPECT_EQ(refusal_at("docker-archive", "/tmp/x.tar"),
            R"(the transport "docker-archive" has the scope "/tmp/x.tar"; its only one is "")");
  EXPECT_EQ(
      refusal_at("oci-archive", ""),
      R"(the transport "oci-archive" is not supported: the rule for archives of either format is "" of )"
      R"("docker-archive")");
  EXPECT_EQ(
      refusal_at("dokcer", ""),
      R"(the unknown transport "dokcer" (known: docker, docker-archive, atomic, containers-storage, dir, )"
      R"(docker-daemon, oci, sif, tarball))");
  EXPECT_EQ(refusal(R"({"default":[{"type":"reject"}],"transports":{"dokcer":{}}})").substr(0, 31),
            R"(the unknown transport "dokcer" )");
}

TEST(Policy, AMemberThatStandsTwiceIsRefused) {
  EXPECT_EQ(refusal(R"({"default": [{"type": "reject"}], "default" : [{"type": "insecureAcceptAnything"}]})"),
            R"(the member "default" stands twice in one object)");
  EXPECT_EQ(
      refusal(R"({"default":[{"type":"reject"}],"transports":{"docker":{"a.example":[{"type":"reject"}],)"
              R"("\u0061.example":[{"type":"insecureAcceptAnything"}]}}})"),
      R"(the member "a.example" stands twice in one object)");
  EXPECT_EQ(refusal(R"({"default":[{"type":"reject"},{"type":"reject"}]})"), "taken");
}

TEST(Policy, SignaturesOfBothKinds) {
  for (const bool ed25519 : {false, true}) {
    const Signer signer(ed25519);
    const Signer other(ed25519);
    const auto policy = *parse(signed_policy(signer));
    const auto good = signer.signature(kManifest, "registry.example/app:v1");
    EXPECT_EQ(why_not(policy, "registry.example/app:v1", {good}), "");
    EXPECT_EQ(why_not(policy, "registry.example/app:v1",
                      {other.signature(kManifest, "registry.example/app:v1"), good}),
              "");
    EXPECT_EQ(why_not(policy, "registry.example/app:v1", {}), "it has no signature");
    EXPECT_EQ(
        why_not(policy, "registry.example/app:v1", {other.signature(kManifest, "registry.example/app:v1")}),
        "none of its signatures is by a key of the rule");
    auto changed = good;
    changed.payload.back() = ' ';
    EXPECT_EQ(why_not(policy, "registry.example/app:v1", {changed}),
              "none of its signatures is by a key of the rule");
    const auto elsewhere = spec::Digest::of("other");
    EXPECT_EQ(
        why_not(policy, "registry.example/app:v1", {signer.signature(elsewhere, "registry.example/app:v1")}),
        "its signature is one of " + elsewhere.to_string());
    EXPECT_EQ(why_not(policy, "registry.example/app:v2", {good}),
              R"(its signature is one for the name "registry.example/app:v1")");
  }
}

TEST(Policy, WhichNameASignatureSpeaksOf) {
  const Signer signer;
  const auto accepts = [&](const std::string& identity, const std::string& image, const std::string& name) {
    const auto policy = parse(signed_policy(signer, R"(,"signedIdentity":)" + identity));
    EXPECT_TRUE(policy.ok()) << policy.error().message();
    return why_not(*policy, image, {signer.signature(kManifest, name)}).empty();
  };
  const std::string by_digest = "r.example/app@" + kManifest.to_string();
  const std::string usual = R"({"type":"matchRepoDigestOrExact"})";
  EXPECT_TRUE(accepts(usual, "r.example/app:1", "r.example/app:1"));
  EXPECT_FALSE(accepts(usual, "r.example/app:1", "r.example/app"));
  EXPECT_TRUE(accepts(usual, by_digest, "r.example/app"));
  EXPECT_FALSE(accepts(R"({"type":"matchExact"})", by_digest, "r.example/app"));
  EXPECT_TRUE(accepts(R"({"type":"matchExact"})", by_digest, by_digest));
  const std::string repository = R"({"type":"matchRepository"})";
  EXPECT_TRUE(accepts(repository, "r.example/app:1", "r.example/app"));
  EXPECT_TRUE(accepts(repository, "r.example/app:1", "r.example/app:2"));
  EXPECT_FALSE(accepts(repository, "r.example/app:1", "r.example/other"));
  EXPECT_TRUE(accepts(R"({"type":"exactReference","dockerReference":"x.example/y:3"})", "r.example/app:1",
                      "x.example/y:3"));
  EXPECT_FALSE(accepts(R"({"type":"exactReference","dockerReference":"x.example/y:3"})", "r.example/app:1",
                       "x.example/y:4"));
  EXPECT_TRUE(accepts(R"({"type":"exactRepository","dockerRepository":"x.example/y"})", "r.example/app:1",
                      "x.example/y:4"));
  const std::string remap =
      R"({"type":"remapIdentity","prefix":"mirror.example/copy","signedPrefix":"r.example"})";
  EXPECT_TRUE(accepts(remap, "mirror.example/copy/app:1", "r.example/app:1"));
  EXPECT_FALSE(accepts(remap, "mirror.example/copyright/app:1", "r.example/right/app:1"));
}

TEST(Policy, AllRequirementsOfARuleCount) {
  const Signer one;
  const Signer two;
  const auto policy = *parse(fmt::format(
      R"({{"default":[{{"type":"sigstoreSigned","keyData":"{}"}},{{"type":"sigstoreSigned","keyDatas":["{}"]}}]}})",
      encode_base64(one.pem()), encode_base64(two.pem())));
  const auto first = one.signature(kManifest, "r.example/a:1");
  const auto second = two.signature(kManifest, "r.example/a:1");
  EXPECT_NE(why_not(policy, "r.example/a:1", {first}), "");
  EXPECT_EQ(why_not(policy, "r.example/a:1", {first, second}), "");
}

TEST(Payload, OnlyWhatIsUnderstoodWhole) {
  const auto refused = [](const std::string& text) {
    const auto payload = parse_payload(text);
    return payload.ok() ? "taken" : payload.error().message();
  };
  const Signer signer;
  const std::string good = signer.signature(kManifest, "x").payload;
  EXPECT_EQ(parse_payload(good)->manifest, kManifest);
  EXPECT_EQ(parse_payload(good)->reference, "x");
  EXPECT_EQ(refused("[]"), "the signed payload is no object");
  EXPECT_EQ(refused("{}"), R"(the signed payload has no "critical")");
  auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    return text.replace(text.find(from), from.size(), to);
  };
  EXPECT_EQ(
      refused(with("cosign container image signature", "atomic container signature")),
      R"(the signed payload is a "atomic container signature", not a "cosign container image signature")");
  EXPECT_EQ(refused(with(R"("type")", R"("expires":1,"type")")),
            R"(the signed payload has an unknown critical member "expires")");
  EXPECT_EQ(refused(with(R"("docker-reference":"x")", R"("docker-reference":1)")),
            R"("docker-reference" of the signed payload is no text)");
}

}  // namespace
}  // namespace skiff::image
