#include "spec/manifest.h"

#include <gtest/gtest.h>

namespace skiff::spec::oci {
namespace {

const std::string kHex(64, 'a');

std::string manifest(std::string_view media_type) {
  return fmt::format(
      R"({{"schemaVersion":2,"mediaType":"{0}","config":{{"mediaType":"{1}","size":7,"digest":"sha256:{2}"}},)"
      R"("layers":[{{"mediaType":"{3}","size":9,"digest":"sha256:{2}"}}]}})",
      media_type, kDockerConfig, kHex, kDockerLayerGzip);
}

std::string entry(std::string_view architecture, std::string_view variant, char digit) {
  return fmt::format(
      R"({{"mediaType":"{}","size":5,"digest":"sha256:{}","platform":{{"architecture":"{}","os":"{}","variant":"{}"}}}})",
      kMediaTypeManifest, std::string(64, digit), architecture,
      architecture == "unknown" ? "unknown" : "linux", variant);
}

std::string index(const std::string& entries) {
  return fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}})", kMediaTypeIndex, entries);
}

TEST(Manifest, IsReadInBothMediaTypes) {
  for (const auto type : {kDockerManifest, kMediaTypeManifest}) {
    const auto document = parse_document(manifest(type), "");
    ASSERT_TRUE(document.ok()) << document.error().message();
    const auto* read = std::get_if<Manifest>(&*document);
    ASSERT_NE(read, nullptr);
    EXPECT_EQ(read->config.size, 7);
    ASSERT_EQ(read->layers.size(), 1U);
    EXPECT_TRUE(is_layer(read->layers[0].media_type));
  }
}

TEST(Manifest, WithoutMediaTypeTheHeaderOrTheMembersSayWhatItIs) {
  const std::string plain = R"({"schemaVersion":2,"manifests":[]})";
  EXPECT_TRUE(std::holds_alternative<Index>(*parse_document(plain, "")));
  EXPECT_TRUE(std::holds_alternative<Index>(
      *parse_document(plain, "application/vnd.docker.distribution.manifest.list.v2+json; charset=utf-8")));
  const auto other = parse_document("{}", "text/html");
  EXPECT_EQ(other.error().kind(), Kind::Unsupported);
  EXPECT_EQ(other.error().message(), "unsupported manifest media type \"text/html\"");
}

TEST(Manifest, WhatIsTwoThingsOrNoneIsRefused) {
  EXPECT_EQ(parse_document(R"({"mediaType":"application/vnd.oci.image.index.v1+json","layers":[]})", "")
                .error()
                .message(),
            "invalid manifest: it is both a manifest and an index");
  EXPECT_EQ(parse_document(R"({"config":{},"manifests":[],"mediaType":
      "application/vnd.oci.image.manifest.v1+json"})",
                           "")
                .error()
                .kind(),
            Kind::InvalidArgument);
  EXPECT_EQ(parse_document("[]", "").error().kind(), Kind::InvalidArgument);
  EXPECT_EQ(parse_document("{", "").error().kind(), Kind::InvalidArgument);
  EXPECT_EQ(parse_document(R"({"config":{"size":1},"layers":[]})", "").error().kind(), Kind::InvalidArgument);
}

TEST(Manifest, Schema1IsNamed) {
  for (const auto& [text, type] : {std::pair<std::string, std::string_view>{R"({"schemaVersion":1})", ""},
                                   {R"({"name":"x"})", kDockerSchema1Signed}}) {
    const auto document = parse_document(text, type);
    ASSERT_FALSE(document.ok());
    EXPECT_EQ(document.error().kind(), Kind::Unsupported);
    EXPECT_NE(document.error().message().find("schema 1"), std::string::npos);
  }
}

TEST(Index, TheBestPlatformIsChosen) {
  const auto document = parse_document(
      index(entry("unknown", "", 'f') + "," + entry("arm", "v6", '1') + "," + entry("arm", "v7", '2') + "," +
            entry("amd64", "", '3') + "," + entry("arm64", "v8", '4')),
      "");
  ASSERT_TRUE(document.ok()) << document.error().message();
  const auto& read = std::get<Index>(*document);
  const auto chosen = [&](std::string_view platform) {
    const Descriptor* found = choose(read, *Platform::parse(platform));
    return found ? found->digest.hex().substr(0, 1) : "none";
  };
  EXPECT_EQ(chosen("linux/amd64"), "3");
  EXPECT_EQ(chosen("linux/arm/v7"), "2");
  EXPECT_EQ(chosen("linux/arm/v6"), "1");
  EXPECT_EQ(chosen("linux/arm64"), "4");
  EXPECT_EQ(chosen("linux/s390x"), "none");
  EXPECT_EQ(chosen("windows/amd64"), "none");
  EXPECT_EQ(platforms_of(read),
            (std::vector<std::string>{"linux/arm/v6", "linux/arm/v7", "linux/amd64", "linux/arm64/v8"}));
}

TEST(Layer, TypesAreKnown) {
  EXPECT_TRUE(is_layer(kMediaTypeLayerZstd));
  EXPECT_TRUE(is_layer(kDockerForeignLayer));
  EXPECT_TRUE(is_foreign_layer("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"));
  EXPECT_FALSE(is_foreign_layer(kDockerLayerGzip));
  EXPECT_FALSE(is_layer("application/vnd.in-toto+json"));
}

}  // namespace
}  // namespace skiff::spec::oci
