#include "archive/contents.h"

#include <sys/stat.h>
#include <zstd.h>

#include <gtest/gtest.h>

#include "spec/digest.h"

namespace skiff::archive {
namespace {

constexpr std::uint64_t kBlob = 1'000'000;
const std::string kDigest = spec::Digest::of("x").to_string();

std::string table(std::string_view entries, int version = 1) {
  return fmt::format(R"({{"version":{},"entries":[{}]}})", version, entries);
}
std::string file(std::string_view name, std::string_view more = "") {
  return fmt::format(
      R"({{"type":"reg","name":"{}","mode":420,"size":10,"digest":"{}","offset":5,"endOffset":9{}}})", name,
      kDigest, more);
}
Result<LayerIndex> parse(std::string_view entries, const spec::LayerLimits& limits = {}) {
  return parse_contents(table(entries), {kBlob, {}}, limits);
}
Kind refusal(std::string_view entries, const spec::LayerLimits& limits = {}) {
  const auto parsed = parse(entries, limits);
  EXPECT_FALSE(parsed.ok()) << entries;
  return parsed.ok() ? Kind::Internal : parsed.error().kind();
}
const IndexNode* find(const LayerIndex& index, std::initializer_list<std::string_view> path) {
  const IndexNode* at = &index.nodes.front();
  for (const auto part : path) {
    const IndexNode* next = nullptr;
    for (const auto& [name, child] : at->children)
      if (name == part) next = &index.nodes[child];
    if (!next) return nullptr;
    at = next;
  }
  return at;
}

TEST(Contents, TheTreeIsWhatTheEntriesSay) {
  const auto index =
      parse(R"({"type":"dir","name":"./etc/","mode":493,"uid":1,"gid":2,"modtime":"2020-01-01T00:00:00.5Z",)"
            R"("xattrs":{"user.a":"eWVz","trusted.overlay.redirect":"eA=="}},)" +
            file("etc/passwd") + "," +
            R"({"type":"hardlink","name":"etc/same","linkName":"etc/passwd","mode":384},)" +
            R"({"type":"symlink","name":"lib","linkName":"usr/lib","mode":511},)"
            R"({"type":"char","name":"dev/null","mode":438,"devMajor":1,"devMinor":3},)"
            R"({"type":"reg","name":"empty","mode":0})");
  ASSERT_TRUE(index.ok()) << index.error().message();
  const auto* etc = find(*index, {"etc"});
  ASSERT_TRUE(etc);
  EXPECT_EQ(etc->mode, static_cast<unsigned>(S_IFDIR | 0755));
  EXPECT_EQ(etc->uid, 1u);
  EXPECT_EQ(etc->gid, 2u);
  EXPECT_EQ(etc->nanoseconds, 500'000'000u);
  EXPECT_EQ(etc->xattrs, (std::vector<std::pair<std::string, std::string>>{{"user.a", "yes"}}));
  const auto* passwd = find(*index, {"etc", "passwd"});
  ASSERT_TRUE(passwd);
  EXPECT_EQ(passwd, find(*index, {"etc", "same"}));
  EXPECT_EQ(passwd->links, 2u);
  EXPECT_EQ(passwd->mode, static_cast<unsigned>(S_IFREG | 0600)) << "the link's entry speaks of the file";
  ASSERT_EQ(passwd->chunks.size(), 1u);
  EXPECT_EQ(passwd->chunks[0].blob_offset, 5u);
  EXPECT_EQ(passwd->chunks[0].blob_size, 4u);
  EXPECT_EQ(find(*index, {"lib"})->target, "usr/lib");
  EXPECT_EQ(find(*index, {"dev", "null"})->minor, 3u);
  EXPECT_EQ(find(*index, {"dev"})->mode, static_cast<unsigned>(S_IFDIR | 0755)) << "implied";
  EXPECT_TRUE(find(*index, {"empty"})->chunks.empty());
  EXPECT_EQ(index->nodes.front().links, 4u);
  EXPECT_EQ(index->bytes, 10u);
}

TEST(Contents, WhiteoutsBecomeOverlays) {
  const auto index = parse(
      R"({"type":"reg","name":"a/.wh.gone"},{"type":"reg","name":"b/.wh..wh..opq"},{"type":"reg","name":"b/.wh..wh..opq"},{"type":"reg","name":".wh..wh..opq"})");
  ASSERT_TRUE(index.ok()) << index.error().message();
  const auto* gone = find(*index, {"a", "gone"});
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->mode & S_IFMT, static_cast<unsigned>(S_IFCHR));
  EXPECT_EQ(gone->major + gone->minor, 0u);
  const std::vector<std::pair<std::string, std::string>> opaque = {{"trusted.overlay.opaque", "y"}};
  EXPECT_EQ(find(*index, {"b"})->xattrs, opaque);
  EXPECT_EQ(index->nodes.front().xattrs, opaque);
}

TEST(Contents, PiecesFollowEachOther) {
  const std::string parts = fmt::format(
      R"({{"type":"reg","name":"f","size":30,"chunkSize":10,"chunkDigest":"{0}","offset":100,"endOffset":900}},)"
      R"({{"type":"chunk","name":"f","chunkOffset":10,"chunkSize":15,"chunkType":"zeros"}},)"
      R"({{"type":"chunk","name":"f","chunkOffset":25,"chunkDigest":"{0}","offset":300,"endOffset":900}})",
      kDigest);
  const auto index = parse(parts);
  ASSERT_TRUE(index.ok()) << index.error().message();
  const auto& chunks = find(*index, {"f"})->chunks;
  ASSERT_EQ(chunks.size(), 3u);
  EXPECT_EQ(chunks[0].blob_size, 200u) << "up to the next one, also behind a hole";
  EXPECT_EQ(chunks[1].blob_size, 0u);
  EXPECT_EQ(chunks[1].size, 15u);
  EXPECT_EQ(chunks[2].offset, 25u);
  EXPECT_EQ(chunks[2].size, 5u) << "the rest";
}

TEST(Contents, WhatATableNeedNotDoIsLeftToTheTar) {
  EXPECT_EQ(refusal(file("a") + "," + file("a")), Kind::Unsupported);
  EXPECT_EQ(refusal(file("a") + "," + file("a/b")), Kind::Unsupported);
  EXPECT_EQ(refusal(R"({"type":"symlink","name":"l","linkName":"/etc"},)" + file("l/passwd")),
            Kind::Unsupported);
  EXPECT_EQ(refusal(file("a") + R"(,{"type":"reg","name":".wh.a"})"), Kind::Unsupported);
  EXPECT_EQ(refusal(R"({"type":"hardlink","name":"a","linkName":"missing"})"), Kind::Unsupported);
  EXPECT_EQ(refusal(R"({"type":"reg","name":"a","size":3,"offset":1,"endOffset":2})"), Kind::Unsupported)
      << "no digest";
  EXPECT_EQ(refusal(R"({"type":"char","name":"a"})"), Kind::Unsupported) << "a whiteout in disguise";
  EXPECT_EQ(refusal(R"({"type":"door","name":"a"})"), Kind::Unsupported);
  EXPECT_EQ(parse_contents(table("", 3), {kBlob, {}}, {}).error().kind(), Kind::Unsupported);
}

TEST(Contents, WhatIsMalformedIsRefused) {
  for (const auto* entries :
       {R"({"type":"reg","name":"../a","size":0})", R"({"type":"reg","name":"a","size":-1})",
        R"({"type":"dir","name":"a","uid":-1})", R"({"type":"chunk","name":"a"})",
        R"({"type":"symlink","name":"a"})", R"({"type":"dir","name":"a","xattrs":{"user.x":"%"}})",
        R"({"type":"dir","name":"d"},{"type":"hardlink","name":"a","linkName":"d"})"})
    EXPECT_EQ(refusal(entries), Kind::InvalidArgument) << entries;
  EXPECT_EQ(refusal(file("a", R"(,"chunkOffset":3)")), Kind::InvalidArgument);
  EXPECT_EQ(refusal(file("a", R"(,"chunkSize":4)")), Kind::Unsupported) << "no digest of that piece";
  const std::string beyond = fmt::format(
      R"({{"type":"reg","name":"a","size":3,"digest":"{}","offset":999990,"endOffset":1000001}})", kDigest);
  EXPECT_EQ(refusal(beyond), Kind::InvalidArgument);
  EXPECT_EQ(parse_contents("nonsense", {kBlob, {}}, {}).error().kind(), Kind::InvalidArgument);
}

TEST(Contents, LimitsHold) {
  EXPECT_EQ(refusal(file("a") + "," + file("b"), {0, 1, 0}), Kind::Exhausted);
  EXPECT_EQ(refusal(file("a") + "," + file("b"), {19, 0, 0}), Kind::Exhausted);
  EXPECT_TRUE(parse(file("a") + "," + file("b"), {20, 2, 0}).ok());
  EXPECT_EQ(refusal(file("a/b/c/d"), {0, 3, 0}), Kind::Exhausted) << "paths make directories";
  EXPECT_TRUE(parse(file("a/b/c/d"), {0, 4, 0}).ok());
  EXPECT_EQ(refusal(file("a") + R"(,{"type":"hardlink","name":"b","linkName":"a"})", {0, 1, 0}),
            Kind::Exhausted);
}

TEST(Contents, AHoleOfAnySizeTakesLittleMemoryOrIsRefused) {
  const auto hole = [](std::uint64_t size) {
    return fmt::format(R"({{"type":"reg","name":"a","size":{},"chunkType":"zeros"}})", size);
  };
  EXPECT_EQ(refusal(hole(INT64_MAX)), Kind::Unsupported) << "although there is no limit of the bytes";
  EXPECT_EQ(find(*parse(hole(3 * kLargestChunk + 1)), {"a"})->chunks.size(), 4u);
}

TEST(Contents, APieceThatTakesTooMuchOfTheBlobIsRefused) {
  const auto piece = [](std::uint64_t end) {
    return fmt::format(R"({{"type":"reg","name":"a","size":10,"digest":"{}","offset":0,"endOffset":{}}})",
                       kDigest, end);
  };
  EXPECT_EQ(refusal(piece(most_packed(10) + 1)), Kind::Unsupported);
  auto index = *parse(piece(most_packed(10)));
  EXPECT_TRUE(decode_index(encode_index(index), kBlob).ok());
  ++index.nodes[1].chunks[0].blob_size;
  EXPECT_EQ(decode_index(encode_index(index), kBlob).error().kind(), Kind::DataLoss);
}

TEST(Contents, AFrameOfZstdIsUnpacked) {
  const std::string text = table(file("a"));
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 1));
  EXPECT_TRUE(parse_contents(packed, {kBlob, {}}, {}).ok());
  packed.resize(packed.size() - 5);
  EXPECT_EQ(parse_contents(packed, {kBlob, {}}, {}).error().kind(), Kind::InvalidArgument);
}

TEST(LayerIndexText, ComesBackAsItWas) {
  const auto index = *parse(file("etc/passwd") + R"(,{"type":"symlink","name":"l","linkName":"etc"})");
  const std::string text = encode_index(index);
  const auto again = decode_index(text, kBlob);
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_EQ(encode_index(*again), text);
  EXPECT_EQ(find(*again, {"l"})->target, "etc");
  EXPECT_EQ(decode_index(text, 8).error().kind(), Kind::DataLoss) << "beyond the blob";
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(decode_index(std::string_view(text).substr(0, size), kBlob).ok()) << size;
  EXPECT_FALSE(decode_index(text + "x", kBlob).ok());
}

TEST(LayerIndexText, ATreeWithLoopsIsRefused) {
  auto index = *parse(R"({"type":"dir","name":"a/b"})");
  index.nodes[2].children.emplace_back("up", 1);
  EXPECT_EQ(decode_index(encode_index(index), kBlob).error().kind(), Kind::DataLoss);
  index.nodes[2].children = {{"root", 0}};
  EXPECT_EQ(decode_index(encode_index(index), kBlob).error().kind(), Kind::DataLoss);
  index.nodes[2].children = {{"..", 1}};
  EXPECT_EQ(decode_index(encode_index(index), kBlob).error().kind(), Kind::DataLoss);
}

}  // namespace
}  // namespace skiff::archive
