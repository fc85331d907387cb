#include "image/transfer_test.h"

namespace skiff::image {
namespace {

TEST_F(TransferTest, AnImageIsPulledWhole) {
  const Tar lower = tar_of("a", "one");
  const Tar upper = tar_of("b", "two");
  const auto digest = spec::Digest::of(publish("app", "v1", {lower, upper}));
  Words words;
  const auto pulled = pull("app:v1", words);
  ASSERT_TRUE(pulled.ok()) << pulled.error().message();
  open();
  const auto image = *store_->resolve(registry_.name("app:v1"));
  EXPECT_EQ(image.repo_digests, (std::vector<std::string>{registry_.name("app@") + digest.to_string()}));
  EXPECT_EQ(file(image, 0, "a") + file(image, 1, "b"), "onetwo");
  EXPECT_TRUE(content_->contains(digest));
  EXPECT_EQ(partials(), 0U);
  for (const auto& layer : {lower, upper}) {
    const std::string id(spec::Digest::of(layer.gzip).short_hex());
    for (const char* word : {"Pulling fs layer", "Verifying Checksum", "Download complete", "Pull complete"})
      EXPECT_TRUE(words.said(id + ": " + word)) << word;
  }
  EXPECT_EQ(words.lines().front(), "v1: Pulling from app");
  EXPECT_EQ(words.lines().back(), "Status: Downloaded newer image for " + registry_.name("app:v1"));
  Words again;
  registry_.forget_requests();
  ASSERT_TRUE(pull("app:v1", again).ok());
  EXPECT_EQ(again.lines(),
            (std::vector<std::string>{"v1: Pulling from app", "Digest: " + digest.to_string(),
                                      "Status: Image is up to date for " + registry_.name("app:v1")}));
  EXPECT_EQ(registry_.count("GET /v2/app"), 0U);
}

TEST_F(TransferTest, LayersThatAreHereAreNotFetched) {
  const Tar lower = tar_of("a", "one");
  publish("app", "v1", {lower});
  publish("app", "v2", {lower, tar_of("b", "two")});
  Words words;
  ASSERT_TRUE(pull("app:v1", words).ok());
  registry_.forget_requests();
  ASSERT_TRUE(pull("app:v2", words).ok());
  const auto digest = spec::Digest::of(lower.gzip);
  EXPECT_TRUE(words.said(std::string(digest.short_hex()) + ": Already exists"));
  EXPECT_EQ(registry_.count(digest.to_string()), 0U);
  EXPECT_EQ(snapshots_->list()->size(), 2U);
}

TEST_F(TransferTest, APlatformIsChosenAndOthersAreNamed) {
  const auto entry = [&](const std::string& bytes, std::string_view platform) {
    spec::oci::Descriptor made;
    made.media_type = spec::oci::kMediaTypeManifest;
    made.digest = spec::Digest::of(bytes);
    made.size = static_cast<std::int64_t>(bytes.size());
    made.platform = *spec::Platform::parse(platform);
    return made;
  };
  spec::oci::Index index;
  index.media_type = spec::oci::kMediaTypeIndex;
  for (const char* platform : {"linux/s390x", "linux/amd64", "linux/arm64"})
    index.manifests.push_back(
        entry(publish("app", platform, {tar_of("p", platform)}, *spec::Platform::parse(platform)), platform));
  registry_.put_manifest("app", "all", json::encode(index), spec::oci::kMediaTypeIndex);
  Words words;
  ASSERT_TRUE(pull("app:all", words, "linux/s390x").ok());
  EXPECT_EQ(store_->resolve(registry_.name("app:all"))->config.platform.architecture, "s390x");
  const auto refused = pull("app:all", words, "linux/riscv64");
  EXPECT_EQ(refused.error().kind(), Kind::NotFound);
  EXPECT_EQ(refused.error().message(),
            "no matching manifest for linux/riscv64 in the manifest list entries: no match for platform in "
            "manifest: "
            "not found (there are linux/s390x, linux/amd64, linux/arm64)");
}

TEST_F(TransferTest, AnImageForAnotherPlatformIsTakenAndSaid) {
  publish("app", "v1", {tar_of("a", "one")}, *spec::Platform::parse("linux/amd64"));
  Words words;
  ASSERT_TRUE(pull("app:v1", words, "linux/s390x").ok());
  EXPECT_EQ(
      words.lines().back(),
      "WARNING: image with reference " + registry_.name("app:v1") +
          " was found but its platform (linux/amd64) does not match the specified platform (linux/s390x)");
}

TEST_F(TransferTest, AllTagsAndDigests) {
  const auto digest = spec::Digest::of(publish("app", "v1", {tar_of("a", "one")}));
  publish("app", "v2", {tar_of("a", "two")});
  Words words;
  ASSERT_TRUE(pull("app", words).ok());
  EXPECT_EQ(store_->list()->size(), 2U);
  EXPECT_EQ(words.lines().back(), "Status: Downloaded newer image for " + registry_.name("app"));
  const std::string name = "app@" + digest.to_string();
  ASSERT_TRUE(pull(name, words).ok());
  EXPECT_EQ(words.lines().back(), "Status: Image is up to date for " + registry_.name(name));
  EXPECT_TRUE(store_->resolve(registry_.name(name)).ok());
}

TEST_F(TransferTest, WhatIsNoImageIsRefused) {
  registry_.put_manifest("app", "old", R"({"schemaVersion":1})", spec::oci::kDockerSchema1Signed);
  EXPECT_NE(pull_failure("app:old").find("schema 1"), std::string::npos);
  EXPECT_EQ(pull_failure("app:none"),
            fmt::format("manifest for {} not found: manifest unknown: said manifest_unknown",
                        registry_.name("app:none")));
  std::string chart = publish("app", "v1", {tar_of("a", "one")});
  chart.replace(chart.find(spec::oci::kMediaTypeConfig), spec::oci::kMediaTypeConfig.size(), "application/x");
  registry_.put_manifest("app", "chart", chart, spec::oci::kMediaTypeManifest);
  EXPECT_EQ(pull_failure("app:chart"), "unsupported media type application/x: this is no container image");
  expect_nothing_left();
}

}  // namespace
}  // namespace skiff::image
