#include "archive/estargz.h"

#include <sys/stat.h>

#include <gtest/gtest.h>

#include "archive/contents.h"
#include "spec/digest.h"

namespace skiff::archive {
namespace {

using namespace std::string_literals;

constexpr std::uint64_t kBlob = 100'000;
constexpr std::uint64_t kTable = 90'000;

std::string footer(std::string_view digits = "0000000000015f90") {  // 90,000
  return "\x1f\x8b\x08\x04\0\0\0\0\0\xff\x1a\0SG\x16\0"s + std::string(digits) +
         "STARGZ\x01\0\0\xff\xff\0\0\0\0\0\0\0\0"s;
}

TEST(Estargz, TheFooterTellsWhereTheTableIs) {
  ASSERT_EQ(footer().size(), kEstargzFooter);
  EXPECT_EQ(estargz_contents(footer(), kBlob).value(), kTable);
  auto unix_made = footer();
  unix_made[9] = 3;
  EXPECT_EQ(estargz_contents(unix_made, kBlob).value(), kTable);
}

TEST(Estargz, WhatIsNoFooterIsRefused) {
  for (std::size_t i = 0; i < 38; ++i) {
    if (i == 9 || (i >= 16 && i < 32)) continue;
    auto damaged = footer();
    damaged[i] ^= 1;
    EXPECT_FALSE(estargz_contents(damaged, kBlob).ok()) << i;
  }
  for (const char* digits :
       {"000000000001869f", "ffffffffffffffff", "000000000001866d", "-000000000000001", "000000000000x000"})
    EXPECT_FALSE(estargz_contents(footer(digits), kBlob).ok()) << digits;
  for (const std::string& other :
       {""s, footer().substr(1), footer() + " ", std::string(kEstargzFooter, '\0')})
    EXPECT_FALSE(estargz_contents(other, kBlob).ok());
  EXPECT_FALSE(estargz_contents(footer("0000000000000000"), 20).ok());
}

std::string entry(std::string_view type, std::string_view name, std::string_view more) {
  return fmt::format(R"({{"type":"{}","name":"{}",{}}})", type, name, more);
}
std::string piece(std::uint64_t offset, std::uint64_t at, std::uint64_t size, std::string_view more = "") {
  return fmt::format(R"("offset":{},"chunkOffset":{},"chunkSize":{},"chunkDigest":"{}"{})", offset, at, size,
                     spec::Digest::of("x").to_string(), more);
}
Result<LayerIndex> parse(std::string_view entries, std::uint64_t table = kTable) {
  return parse_contents(fmt::format(R"({{"version":1,"entries":[{}]}})", entries), {kBlob, table}, {});
}

TEST(Estargz, APieceEndsWhereTheNextBegins) {
  const auto index = parse(
      entry("dir", "a/", R"("mode":493)") + "," + entry("reg", "a/one", R"("size":30,)" + piece(100, 0, 20)) +
      "," + entry("chunk", "a/one", piece(150, 20, 0)) + "," +  // the rest
      entry("reg", "a/empty", R"("size":0)") + "," + entry("reg", "two", R"("size":10,)" + piece(180, 0, 0)));
  ASSERT_TRUE(index.ok()) << index.error().message();
  const auto& one = index->nodes[2];
  ASSERT_EQ(one.chunks.size(), 2u);
  EXPECT_EQ(one.chunks[0].blob_size, 50u);
  EXPECT_EQ(one.chunks[1].size, 10u);
  EXPECT_EQ(one.chunks[1].blob_size, 30u);
  const auto& two = index->nodes[4];
  ASSERT_EQ(two.chunks.size(), 1u);
  EXPECT_EQ(two.chunks[0].blob_size, most_packed(10)) << "what follows it is not its own";
}

TEST(Estargz, PiecesMayShareAMember) {
  const auto index =
      parse(entry("reg", "one", R"("size":20,)" + piece(100, 0, 20)) + "," +
            entry("reg", "two", R"("size":10,)" + piece(100, 0, 10, R"(,"innerOffset":1024)")) + "," +
            entry("reg", "three", R"("size":10,)" + piece(400, 0, 10)));
  ASSERT_TRUE(index.ok()) << index.error().message();
  const auto& two = index->nodes[2].chunks;
  EXPECT_EQ(two[0].before, 1024u);
  EXPECT_EQ(two[0].blob_offset, 100u);
  EXPECT_EQ(two[0].blob_size, 300u);
  const auto read = decode_index(encode_index(*index), kBlob);
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(read->nodes[2].chunks[0].before, 1024u);
}

TEST(Estargz, TheTableIsAFileToo) {
  const auto index = parse(entry("reg", "one", R"("size":20,)" + piece(100, 0, 20)));
  ASSERT_TRUE(index.ok()) << index.error().message();
  const auto& table = index->nodes[2];
  EXPECT_EQ(index->nodes[0].children.back().first, kEstargzContents);
  EXPECT_EQ(table.mode, static_cast<unsigned>(S_IFREG));
  ASSERT_EQ(table.chunks.size(), 1u);
  EXPECT_EQ(table.chunks[0].blob_offset, kTable);
  EXPECT_EQ(table.chunks[0].before, 512u);
}

TEST(Estargz, PlacesThatCannotBeAreRefused) {
  const auto kind = [](std::string_view more, std::uint64_t table = kTable) {
    const auto parsed = parse(entry("reg", "one", R"("size":20,)" + std::string(more)), table);
    return parsed.ok() ? Kind::Internal : parsed.error().kind();
  };
  EXPECT_EQ(kind(piece(kTable, 0, 20)), Kind::InvalidArgument) << "in the table";
  EXPECT_EQ(kind(piece(kBlob + 1, 0, 20)), Kind::InvalidArgument);
  EXPECT_EQ(kind(R"("offset":-5,"chunkSize":20,"chunkDigest":"sha256:00")"), Kind::Unsupported);
  EXPECT_EQ(kind(piece(100, 0, 20, R"(,"innerOffset":-1)")), Kind::InvalidArgument);
  EXPECT_EQ(kind(piece(100, 0, 20, R"(,"innerOffset":100000000)")), Kind::Unsupported);
  EXPECT_EQ(kind(piece(100, 0, 20), kBlob), Kind::InvalidArgument) << "a table beyond the layer";
  EXPECT_EQ(parse(entry("reg", kEstargzContents, R"("size":0)")).error().kind(), Kind::Unsupported)
      << "twice";
}

}  // namespace
}  // namespace skiff::archive
