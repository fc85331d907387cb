#include "spec/digest.h"

#include <gtest/gtest.h>

#include "spec/oci_image.h"
#include "spec/platform.h"

namespace skiff::spec {
namespace {

constexpr auto kEmpty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

TEST(DigestTest, HashesInPieces) {
  EXPECT_EQ(Digest::of("").to_string(), kEmpty);
  Hasher hasher;
  hasher.update("hel");
  hasher.update("lo");
  Hasher moved = std::move(hasher);
  EXPECT_EQ(moved.finish(), Digest::of("hello"));
  EXPECT_EQ(moved.finish().to_string(), kEmpty) << "a finished hasher starts anew";
}

TEST(DigestTest, Parses) {
  const auto digest = Digest::parse(kEmpty).value();
  EXPECT_EQ(digest.algorithm(), "sha256");
  EXPECT_EQ(digest.hex().size(), 64U);
  EXPECT_EQ(digest.short_hex(), "e3b0c44298fc");
  EXPECT_EQ(Digest::parse("sha256:12").error().message(), "invalid checksum digest length");
  EXPECT_EQ(Digest::parse("sha256:" + std::string(64, 'X')).error().message(),
            "invalid checksum digest format");
  EXPECT_EQ(Digest::parse("abc").error().message(), "invalid checksum digest format");
  EXPECT_EQ(Digest::parse("md5:abc").error().message(), "unsupported digest algorithm");
  EXPECT_TRUE(Digest().empty());
}

TEST(DigestTest, ChainIdsFollowTheSpecification) {
  const auto a = Digest::of("a");
  const auto b = Digest::of("b");
  const auto chain = oci::chain_ids({a, b});
  EXPECT_EQ(chain.at(0), a);
  EXPECT_EQ(chain.at(1), Digest::of(a.to_string() + " " + b.to_string()));
  EXPECT_TRUE(oci::chain_ids({}).empty());
}

TEST(DigestTest, MalformedDigestInJsonIsRejected) {
  EXPECT_FALSE(json::decode<oci::Descriptor>(R"({"digest": "sha256:12"})").ok());
  EXPECT_FALSE(json::decode<oci::RootFs>(R"({"diff_ids": [5]})").ok());
  EXPECT_EQ(
      json::decode<oci::RootFs>(std::string(R"({"diff_ids": [")") + kEmpty + "\"]}").value().diff_ids.size(),
      1U);
}

TEST(PlatformTest, Parses) {
  EXPECT_EQ(Platform::parse("linux/amd64").value().to_string(), "linux/amd64");
  EXPECT_EQ(Platform::parse("linux/arm64/v8").value().to_string(), "linux/arm64");
  EXPECT_EQ(Platform::parse("aarch64").value().to_string(), "linux/arm64");
  EXPECT_EQ(Platform::parse("linux/arm/v6").value().to_string(), "linux/arm/v6");
  for (const auto* text : {"", "a/b/c/d", "linux/", "nosuch", "linux/am d64"})
    EXPECT_FALSE(Platform::parse(text).ok()) << text;
  EXPECT_EQ(Platform::parse("Windows")->to_string(), "windows/" + Platform::host().architecture);
  EXPECT_EQ(Platform::parse("macos")->to_string(), "darwin/" + Platform::host().architecture);
  EXPECT_EQ(Platform::parse("macos/arm64")->to_string(), "darwin/arm64");
  EXPECT_TRUE(Platform::host().accepts(Platform::host()));
  EXPECT_TRUE((Platform{"arm64", "linux", ""}).accepts({"arm64", "linux", "v8"}));
  EXPECT_FALSE((Platform{"amd64", "linux", ""}).accepts({"arm64", "linux", ""}));
}

}  // namespace
}  // namespace skiff::spec
