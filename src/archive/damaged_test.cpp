#include <algorithm>
#include <cstring>

#include "archive/apply.h"
#include "archive/testing_test.h"

/// Archives whose headers lie: refused as Go's reader refuses them, or taken as it takes them.
namespace skiff::archive {
namespace {

using testing::apply_bytes;

constexpr std::size_t kBlock = 512;
constexpr std::size_t kSum = 148;

/// A ustar header of `type` by hand, for a file of `size` bytes.
std::string header(const std::string& name, std::size_t size, char type = '0', const char* magic = "ustar") {
  std::string block(kBlock, '\0');
  name.copy(block.data(), 100);
  std::snprintf(block.data() + 100, 8, "%07o", 0644U);
  std::snprintf(block.data() + 124, 12, "%011zo", size);
  std::snprintf(block.data() + 136, 12, "%011o", 0U);
  block[156] = type;
  std::strcpy(block.data() + 257, magic);
  return block;
}

std::string summed(std::string block) {
  std::fill_n(block.begin() + kSum, 8, ' ');
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  std::snprintf(block.data() + kSum, 8, "%06o", sum);
  return block;
}

std::string padded(std::string bytes) {
  bytes.resize((bytes.size() + kBlock - 1) / kBlock * kBlock);
  return bytes;
}

std::string pax(const std::string& records) {
  return summed(header("PaxHeaders/x", records.size(), 'x')) + padded(records);
}

const std::string kFile = summed(header("file", 0)) + std::string(2 * kBlock, '\0');

class DamagedTest : public testing::TreeTest {
 protected:
  Result<ApplyStats> layer(const std::string& bytes) { return apply_bytes(bytes, root_, layer_options()); }
};

TEST_F(DamagedTest, PaxRecordsThatAreNoneAreNotPassedOver) {
  for (const char* records : {"no record", "999999999 path=name\n", "5 path=name\n", "12 path=name!",
                              "6 =ab\n", "22 GNU.sparse.map=a,b\n", "22 GNU.sparse.major=7\n"}) {
    const auto applied = layer(pax(records) + kFile);
    ASSERT_FALSE(applied.ok()) << records;
    EXPECT_EQ(applied.error().kind(), Kind::InvalidArgument) << applied.error().message();
    EXPECT_FALSE(there("root/file")) << records;
  }
}

TEST_F(DamagedTest, NamesNeedNotBeUtf8) {
  ASSERT_TRUE(layer(pax("12 path=a\xff\xfe\n") + kFile).ok());
  EXPECT_TRUE(there("root/a\xff\xfe"));
  ASSERT_TRUE(layer(pax("11 uname=\xff\n") + kFile).ok());
  EXPECT_TRUE(there("root/file"));
}

TEST_F(DamagedTest, ASparseFileEndsWhereItsHeaderSays) {
  std::string block = header("sparse", 8, 'S', "ustar  ");
  std::snprintf(block.data() + 386, 12, "%011o", 01000U);
  std::snprintf(block.data() + 398, 12, "%011o", 010U);
  std::snprintf(block.data() + 483, 12, "%011o", 01010U);
  const std::string data = padded("12345678") + std::string(2 * kBlock, '\0');
  ASSERT_TRUE(layer(summed(block) + data).ok());
  EXPECT_EQ(read("root/sparse"), std::string(01000, '\0') + "12345678");
  std::snprintf(block.data() + 483, 12, "%011o", 010U);
  const auto applied = layer(summed(block) + data);
  ASSERT_FALSE(applied.ok());
  EXPECT_EQ(applied.error().message(),
            "archive entry \"sparse\": its sparse map leads beyond the 8 bytes of the file");
}

TEST_F(DamagedTest, ASparseFileIsWrittenOnce) {
  std::string block = header("sparse", 2 * kBlock, 'S', "ustar  ");
  const std::size_t pieces[] = {0, kBlock, kBlock, kBlock};  // offset and size of each
  for (std::size_t i = 0; i < std::size(pieces); ++i)
    std::snprintf(block.data() + 386 + 12 * i, 12, "%011zo", pieces[i]);
  std::snprintf(block.data() + 483, 12, "%011zo", 2 * kBlock);
  const std::string data =
      std::string(kBlock, 'a') + std::string(kBlock, 'b') + std::string(2 * kBlock, '\0');
  ASSERT_TRUE(layer(summed(block) + data).ok());
  EXPECT_EQ(read("root/sparse"), std::string(kBlock, 'a') + std::string(kBlock, 'b'));
  std::snprintf(block.data() + 410, 12, "%011zo", kBlock - 1);
  const auto applied = layer(summed(block) + data);
  ASSERT_FALSE(applied.ok());
  EXPECT_EQ(applied.error().message(),
            "archive entry \"sparse\": the pieces of its sparse map are not in order");
}

TEST_F(DamagedTest, AnAttributeThatDoesNotFitIsNotAFullDisk) {
  Entry file = testing::Tar::make("file", Entry::Type::Regular, 0644);
  // More than ext4 keeps beside an inode, less than the kernel's limit; other file systems have it.
  file.xattrs = {{"user.large", std::string(40'000, 'x')}};
  testing::Tar tar;
  const auto applied = apply_bytes(tar.add(file).bytes(), root_, layer_options());
  if (applied.ok()) return;
  EXPECT_EQ(applied.error().kind(), Kind::InvalidArgument) << applied.error().message();
}

}  // namespace
}  // namespace skiff::archive
