#include <gtest/gtest.h>

#include "registry/server/manifest.h"
#include "registry/server/range.h"
#include "registry/server/route.h"

namespace skiff::registry::server {
namespace {

using RouteKind = Route::Kind;

TEST(RouteTest, TheEndOfAPathDecides) {
  const auto digest = "sha256:" + std::string(64, 'a');
  const struct {
    std::string path;
    RouteKind kind;
    std::string repository;
    std::string reference;
  } cases[] = {
      {"/v2/", RouteKind::Base, "", ""},
      {"/v2", RouteKind::Base, "", ""},
      {"/v2/_catalog", RouteKind::Catalog, "", ""},
      {"/v2/a/manifests/v1", RouteKind::Manifest, "a", "v1"},
      {"/v2/a/b/manifests/" + digest, RouteKind::Manifest, "a/b", digest},
      {"/v2/a/blobs/" + digest, RouteKind::Blob, "a", digest},
      {"/v2/a/blobs/sha256%3Aab", RouteKind::Blob, "a", "sha256:ab"},
      {"/v2/a/blobs/uploads/", RouteKind::Uploads, "a", ""},
      {"/v2/a/blobs/uploads", RouteKind::Uploads, "a", ""},
      {"/v2/a/blobs/uploads/id", RouteKind::Upload, "a", "id"},
      {"/v2/a/tags/list", RouteKind::Tags, "a", ""},
      {"/v2/a/referrers/" + digest, RouteKind::Referrers, "a", digest},
      // Names made of the API's words.
      {"/v2/a/blobs/blobs/" + digest, RouteKind::Blob, "a/blobs", digest},
      {"/v2/a/tags/list/blobs/uploads/", RouteKind::Uploads, "a/tags/list", ""},
      {"/v2/a/manifests/uploads/blobs/uploads/id", RouteKind::Upload, "a/manifests/uploads", "id"},
      {"/v2/a/blobs/uploads/tags/list", RouteKind::Tags, "a/blobs/uploads", ""},
      {"/v2/x/y/z", RouteKind::None, "", ""},
      {"/v1/a", RouteKind::None, "", ""},
      {"/", RouteKind::None, "", ""},
  };
  for (const auto& expected : cases) {
    const auto route = Route::parse(expected.path);
    EXPECT_EQ(route.kind, expected.kind) << expected.path;
    EXPECT_EQ(route.repository, expected.repository) << expected.path;
    EXPECT_EQ(route.reference, expected.reference) << expected.path;
  }
}

TEST(RouteTest, RepositoryNames) {
  for (const auto* name : {"a", "a/b/c", "a.b", "a_b", "a__b", "a---b", "0/1"})
    EXPECT_TRUE(is_repository_name(name)) << name;
  for (const auto* name :
       {"", "A", "a//b", "/a", "a/", "a..b", "a___b", "-a", "a-", "_blobs", "a/../b", "a b"})
    EXPECT_FALSE(is_repository_name(name)) << name;
  EXPECT_TRUE(is_repository_name(std::string(255, 'a')));
  EXPECT_FALSE(is_repository_name(std::string(256, 'a')));
}

TEST(RouteTest, QueryValuesAreDecoded) {
  EXPECT_EQ(query_value("n=3&last=a%2Fb", "last"), "a/b");
  EXPECT_EQ(query_value("n=3", "last"), std::nullopt);
  EXPECT_EQ(query_value("flag", "flag"), "");
  EXPECT_EQ(query_value("", "n"), std::nullopt);
}

TEST(RangeTest, OfAnObject) {
  using RangeKind = RangeAnswer::Kind;
  const struct {
    std::string_view header;
    RangeKind kind;
    ByteRange range;
  } cases[] = {
      {"bytes=0-9", RangeKind::Part, {0, 10}},
      {"bytes=90-", RangeKind::Part, {90, 10}},
      {"bytes=90-1000", RangeKind::Part, {90, 10}},
      {"bytes=-5", RangeKind::Part, {95, 5}},
      {"bytes=-500", RangeKind::Part, {0, 100}},
      {"bytes=100-", RangeKind::Unsatisfiable, {}},
      {"bytes=-0", RangeKind::Unsatisfiable, {}},
      {"bytes=5-4", RangeKind::Whole, {}},
      {"bytes=0-1,3-4", RangeKind::Whole, {}},
      {"lines=1-2", RangeKind::Whole, {}},
      {"bytes=a-b", RangeKind::Whole, {}},
      {"bytes=-", RangeKind::Whole, {}},
      {"bytes=18446744073709551616-", RangeKind::Whole, {}},
      {"", RangeKind::Whole, {}},
  };
  for (const auto& expected : cases) {
    const auto answer = parse_range(expected.header, 100);
    EXPECT_EQ(answer.kind, expected.kind) << expected.header;
    EXPECT_EQ(answer.range, expected.range) << expected.header;
  }
  EXPECT_EQ(parse_range("bytes=0-", 0).kind, RangeKind::Unsatisfiable);
}

TEST(RangeTest, OfAChunk) {
  EXPECT_EQ(parse_content_range("0-999"), (ByteRange{0, 1000}));
  EXPECT_EQ(parse_content_range("bytes 5-5/10"), (ByteRange{5, 1}));
  EXPECT_EQ(parse_content_range("bytes=5-6"), std::nullopt);
  EXPECT_EQ(parse_content_range("6-5"), std::nullopt);
  EXPECT_EQ(parse_content_range("x"), std::nullopt);
  EXPECT_EQ(parse_content_range("0-18446744073709551615"), std::nullopt);
}

const std::string kDigest = "sha256:" + std::string(64, 'a');
const std::string kConfig = R"("config":{"mediaType":"c/t","digest":")" + kDigest + R"(","size":1})";
constexpr std::string_view kImageType = "application/vnd.oci.image.manifest.v1+json";
constexpr std::string_view kIndexType = "application/vnd.oci.image.index.v1+json";

TEST(ManifestTest, ImagesAndIndexes) {
  const auto image =
      read_manifest(R"({"schemaVersion":2,)" + kConfig + R"(,"layers":[{"mediaType":"l","digest":")" +
                        kDigest + R"(","size":1,"urls":["https://x"]}],"annotations":{"k":"v"}})",
                    kImageType);
  ASSERT_TRUE(image.ok()) << image.error().message();
  EXPECT_EQ(image->media_type, kImageType);
  EXPECT_EQ(image->artifact_type, "c/t");
  EXPECT_EQ(image->blobs.size(), 1U);
  EXPECT_EQ(image->optional_blobs.size(), 1U);
  EXPECT_EQ(image->annotations.at("k"), "v");
  const auto index =
      read_manifest(R"({"schemaVersion":2,"manifests":[{"mediaType":"m","digest":")" + kDigest +
                        R"(","size":1}],"subject":{"mediaType":"m","digest":")" + kDigest + R"(","size":1}})",
                    "");
  ASSERT_TRUE(index.ok()) << index.error().message();
  EXPECT_EQ(index->media_type, kIndexType);
  EXPECT_EQ(index->manifests.size(), 1U);
  EXPECT_TRUE(index->subject.has_value());
}

TEST(ManifestTest, WhatIsNoManifestIsRefused) {
  const std::string image = R"({"schemaVersion":2,)" + kConfig + R"(,"layers":[]})";
  EXPECT_TRUE(read_manifest(image, kImageType).ok());
  EXPECT_FALSE(read_manifest(image, kIndexType).ok());
  EXPECT_FALSE(read_manifest(image, "text/plain").ok());
  for (const std::string& text :
       {std::string("{"), std::string("[]"), std::string(R"({"schemaVersion":1})"),
        std::string(R"({"schemaVersion":2})"), R"({"schemaVersion":2,"manifests":[],)" + kConfig + "}",
        std::string(R"({"schemaVersion":2,"config":{"digest":"x","size":1}})"),
        std::string(R"({"schemaVersion":2,"layers":[{}],)") + kConfig + "}",
        R"({"schemaVersion":2,"mediaType":"text/x",)" + kConfig + "}"}) {
    const auto read = read_manifest(text, "");
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.error().kind(), Kind::InvalidArgument) << text;
  }
}

}  // namespace
}  // namespace skiff::registry::server
