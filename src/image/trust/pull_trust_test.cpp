#include <fstream>

#include "image/transfer_test.h"
#include "image/trust/signer_test.h"

namespace skiff::image {
namespace {

/// Puts a signature beside an image, as cosign does.
void sign(FakeRegistry& registry, const std::string& repository, const std::vector<Signature>& signatures,
          const spec::Digest& manifest) {
  spec::oci::Manifest document;
  document.media_type = spec::oci::kMediaTypeManifest;
  document.config.media_type = spec::oci::kMediaTypeConfig;
  document.config.digest = registry.put_blob("{}");
  document.config.size = 2;
  for (const auto& signature : signatures) {
    auto& layer = document.layers.emplace_back();
    layer.media_type = kSignatureMediaType;
    layer.digest = registry.put_blob(signature.payload);
    layer.size = static_cast<std::int64_t>(signature.payload.size());
    layer.annotations[kSignatureAnnotation] = signature.signature;
  }
  registry.put_manifest(repository, signature_tag(manifest), json::encode(document),
                        spec::oci::kMediaTypeManifest);
}

TEST_F(TransferTest, APolicyIsAskedBeforeAnythingIsDownloaded) {
  const signing::Signer signer;
  policy_ = base_ + "/policy.json";
  const std::string host = registry_.name("");
  ASSERT_TRUE(
      sys::replace_file(
          policy_,
          fmt::format(
              R"({{"default":[{{"type":"reject"}}],"transports":{{"docker":{{"{}app":[{{"type":"sigstoreSigned",)"
              R"("keyData":"{}","signedIdentity":{{"type":"matchRepository"}}}}]}}}}}})",
              host, encode_base64(signer.pem())))
          .ok());
  open();
  const auto manifest = spec::Digest::of(publish("app", "v1", {tar_of("a", "one")}));
  publish("other", "v1", {tar_of("a", "two")});
  EXPECT_EQ(
      pull_failure("other:v1"),
      fmt::format(
          R"(image {} is refused by the rule "default" of the policy {}: images of this scope are rejected)",
          registry_.name("other:v1"), policy_));
  const std::string refused =
      fmt::format(R"(image {} is refused by the rule "docker {}app" of the policy {}: )",
                  registry_.name("app:v1"), host, policy_);
  registry_.forget_requests();
  EXPECT_EQ(pull_failure("app:v1"), refused + "it has no signature");
  EXPECT_EQ(registry_.count("GET /v2/app/blobs"), 0U);
  sign(registry_, "app", {signing::Signer().signature(manifest, registry_.name("app"))}, manifest);
  EXPECT_EQ(pull_failure("app:v1"), refused + "none of its signatures is by a key of the rule");
  sign(registry_, "app", {signer.signature(manifest, registry_.name("app"))}, manifest);
  EXPECT_EQ(pull_failure("app:v1"), "pulled");
  const auto image = *store_->resolve(registry_.name("app:v1"));
  EXPECT_TRUE(trust_->check_use(image).ok());
  // What was believed then is judged by the keys of today.
  open();
  EXPECT_TRUE(trust_->check_use(image).ok());
  const signing::Signer another;
  ASSERT_TRUE(
      sys::replace_file(policy_, fmt::format(R"({{"default":[{{"type":"sigstoreSigned","keyData":"{}"}}]}})",
                                             encode_base64(another.pem())))
          .ok());
  ASSERT_TRUE(trust_->reload().ok());
  EXPECT_EQ(
      trust_->check_use(image).error().message(),
      fmt::format(
          R"(image {} is refused by the rule "default" of the policy {}: none of its signatures is by a key of the rule)",
          registry_.name("app:v1"), policy_));
  ASSERT_TRUE(sys::replace_file(policy_, "{").ok());
  EXPECT_FALSE(trust_->reload().ok());
  EXPECT_FALSE(trust_->check_use(image).ok());
  ASSERT_TRUE(store_->remove(image.id.to_string(), true, false, {}).ok());
  EXPECT_FALSE(trust_->origins().find(image.id)->has_value());
}

TEST_F(TransferTest, AnImageFromBeforeThePolicyIsNotUsed) {
  publish("app", "v1", {tar_of("a", "one")});
  Words words;
  ASSERT_TRUE(pull("app:v1", words).ok());
  const auto image = *store_->resolve(registry_.name("app:v1"));
  ASSERT_TRUE(trust_->check_use(image).ok());
  policy_ = base_ + "/policy.json";
  ASSERT_TRUE(
      sys::replace_file(policy_, fmt::format(R"({{"default":[{{"type":"sigstoreSigned","keyData":"{}"}}]}})",
                                             encode_base64(signing::Signer().pem())))
          .ok());
  open();
  EXPECT_EQ(
      trust_->check_use(image).error().message(),
      fmt::format(
          R"(image {} is refused by the rule "default" of the policy {}: no signature was recorded when it was pulled; pull it again)",
          registry_.name("app:v1"), policy_));
  // What was made here is nobody's but ours, also when it was pushed.
  auto config = image.config;
  config.author = "me";
  const auto made = *store_->create(config, image.layers, "");
  EXPECT_TRUE(trust_->check_use(made).ok());
  ASSERT_TRUE(store_->tag(made.id, *spec::Reference::parse(registry_.name("mine:v1"))).ok());
  ASSERT_TRUE(pusher_->push({*spec::Reference::parse(registry_.name("mine:v1")), {}, {}}, words, {}).ok());
  EXPECT_TRUE(trust_->check_use(*store_->resolve(made.id.to_string())).ok());
}

TEST_F(TransferTest, APolicyThatCannotBeSeenIsNotNone) {
  policy_ = base_ + "/policy.json";
  ASSERT_TRUE(sys::replace_file(policy_, R"({"default":[{"type":"reject"}]})").ok());
  open();
  fs::remove(policy_);
  EXPECT_EQ(trust_->reload().error().kind(), Kind::NotFound);
  EXPECT_FALSE(trust_->check_load().ok());
  EXPECT_EQ(Trust::open(*database_, policy_).error().kind(), Kind::NotFound);
}

/// A pull that did not come to its end, or whose image another step took away, leaves no image without an
/// origin, and no origin for ever.
TEST_F(TransferTest, AnOriginIsThereBeforeItsImage) {
  const std::string manifest = publish("app", "v1", {tar_of("a", "one")});
  const auto id = json::decode<spec::oci::Manifest>(manifest)->config.digest;
  registry_.intercept = [](http::Exchange& http) {
    if (http.path().find("/blobs/") == std::string_view::npos) return false;
    (void)http.send(404, "");
    return true;
  };
  EXPECT_NE(pull_failure("app:v1"), "pulled");
  const auto origin = *trust_->origins().find(id);
  ASSERT_TRUE(origin.has_value());
  EXPECT_EQ(origin->pulls.front().reference, registry_.name("app:v1"));
  open();
  EXPECT_FALSE(trust_->origins().find(id)->has_value());
  registry_.intercept = {};
  EXPECT_EQ(pull_failure("app:v1"), "pulled");
  open();
  EXPECT_TRUE(trust_->origins().find(id)->has_value());
}

TEST_F(TransferTest, AnImageThatWasLoadedTooIsTakenAsOneOfAnArchive) {
  publish("app", "v1", {tar_of("a", "one")});
  ASSERT_EQ(pull_failure("app:v1"), "pulled");
  const auto image = *store_->resolve(registry_.name("app:v1"));
  policy_ = base_ + "/policy.json";
  ASSERT_TRUE(
      sys::replace_file(
          policy_,
          R"({"default":[{"type":"reject"}],"transports":{"docker-archive":{"":[{"type":"insecureAcceptAnything"}]}}})")
          .ok());
  open();
  EXPECT_FALSE(trust_->check_use(image).ok());
  ASSERT_TRUE(trust_->origins().loaded(image.id, true).ok());
  EXPECT_TRUE(trust_->check_use(image).ok());
  // What was made here stays so.
  const auto made = spec::Digest::of("made here");
  ASSERT_TRUE(trust_->origins().loaded(made, true).ok());
  EXPECT_FALSE(trust_->origins().find(made)->has_value());
  ASSERT_TRUE(trust_->origins().loaded(made, false).ok());
  EXPECT_EQ((*trust_->origins().find(made))->kind, Origin::Kind::Archive);
}

}  // namespace
}  // namespace skiff::image
