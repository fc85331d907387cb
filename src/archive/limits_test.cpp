#include "archive/image_archive.h"
#include "archive/testing_test.h"
#include "archive/worker.h"

namespace skiff::archive {
namespace {

using testing::gzip;
using testing::Tar;
using testing::zstd;

constexpr std::size_t kMiB = 1 << 20;

/// The header of a file of `size` bytes, whose data is still to come.
std::string header(const std::string& name, std::uint64_t size) {
  std::string bytes;
  TarWriter writer([&](std::string_view piece) -> Result<void> {
    bytes += piece;
    return {};
  });
  Entry entry = Tar::make(name, Entry::Type::Regular, 0644);
  entry.size = size;
  EXPECT_TRUE(writer.header(entry).ok());
  return bytes;
}

/// A tar with one file of so many zeros, packed piece by piece: a stream may have several members.
std::string bomb(std::uint64_t mebibytes, std::string (*pack)(const std::string&)) {
  std::string bytes = pack(header("zeros", mebibytes * kMiB));
  const std::string piece = pack(std::string(64 * kMiB, '\0'));
  for (std::uint64_t i = 0; i < mebibytes; i += 64) bytes += piece;
  return bytes;
}

class LimitsTest : public testing::TreeTest {
 protected:
  Result<Unpacked> unpack_with(const std::string& bytes, const spec::LayerLimits& limits) {
    write("archive", bytes);
    ApplyOptions options = layer_options();
    options.limits = limits;
    Root root;
    root.directory = root_.get();
    return unpack(*sys::open_file(path("archive"), O_RDONLY), root, "/", options);
  }
  static void expect_refused(const Result<Unpacked>& result, const std::string& sentence) {
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().kind(), Kind::Exhausted);
    EXPECT_EQ(result.error().message(), sentence);
  }
};

TEST_F(LimitsTest, SizeIsThatOfTheTar) {
  Tar tar;
  const std::string bytes = tar.file("a", std::string(4000, 'x')).file("b", std::string(6000, 'x')).bytes();
  EXPECT_TRUE(unpack_with(bytes, {bytes.size(), 0, 0}).ok());
  expect_refused(unpack_with(bytes, {bytes.size() - 1, 0, 0}),
                 R"(it unpacks to more than 12KiB, the limit that skiffd's --layer-max-size sets)");
}

TEST_F(LimitsTest, TheEntryIsNamedWhereItGrowsTooLarge) {
  Tar tar;
  const std::string bytes = tar.file("a").file("dir/b", std::string(3 * kMiB, 'x')).bytes();
  expect_refused(unpack_with(gzip(bytes), {2 * kMiB, 0, 0}),
                 R"(archive entry "dir/b": it unpacks to more than 2MiB, the limit that skiffd's )"
                 "--layer-max-size sets");
}

TEST_F(LimitsTest, EntriesAreCounted) {
  Tar tar;
  const std::string bytes = tar.file("a").directory("d").link("d/l", "x").bytes();
  expect_refused(
      unpack_with(bytes, {0, 2, 0}),
      R"(archive entry "d/l": more than 2 entries, the limit that skiffd's --layer-max-entries sets)");
  EXPECT_FALSE(there("root/d/l"));
  EXPECT_TRUE(unpack_with(bytes, {0, 3, 0}).ok());
}

TEST_F(LimitsTest, BombsOfEveryCompressionAreStopped) {
  for (const auto& bytes : {bomb(1536, gzip), bomb(1536, zstd)}) {
    expect_refused(unpack_with(bytes, {0, 0, 200}),
                   R"(archive entry "zeros": it unpacks to more than 200 times its compressed size, the )"
                   "limit that skiffd's --layer-max-ratio sets");
    EXPECT_LT(status("root/zeros").st_size, 1100 * static_cast<off_t>(kMiB));
    std::filesystem::remove(path("root/zeros"));
  }
}

TEST_F(LimitsTest, ALittleEmptinessIsNoBomb) {
  EXPECT_TRUE(unpack_with(bomb(256, gzip), {0, 0, 200}).ok());
  EXPECT_EQ(status("root/zeros").st_size, 256 * static_cast<off_t>(kMiB));
}

TEST_F(LimitsTest, WhatFollowsTheEndOfTheTarCountsToo) {
  Tar tar;
  const std::string bytes = tar.file("a").bytes() + std::string(kMiB, '\0');
  expect_refused(unpack_with(gzip(bytes), {kMiB, 0, 0}),
                 "it unpacks to more than 1MiB, the limit that skiffd's --layer-max-size sets");
}

TEST_F(LimitsTest, ALayerInAnArchiveOfImagesIsNamed) {
  Tar inner;
  Tar outer;
  const std::string layer = inner.file("a", std::string(kMiB, 'x')).bytes();
  write("images", outer.file("blobs/sha256/abc", gzip(layer)).bytes());
  const sys::Fd tar = *sys::open_file(path("images"), O_RDONLY);
  const auto refused = unpack_images(tar, root_, {}, {kMiB, 0, 0});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind(), Kind::Exhausted);
  EXPECT_EQ(refused.error().message(),
            R"(layer "blobs/sha256/abc": archive entry "a": it unpacks to more than 1MiB, the limit that )"
            "skiffd's --layer-max-size sets");
}

}  // namespace
}  // namespace skiff::archive
