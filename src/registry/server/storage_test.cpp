#include "registry/server/storage.h"

#include "base/ids.h"
#include "registry/server/memory_storage_test.h"
#include "registry/server/storage_conformance_test.h"
#include "sys/file.h"

namespace skiff::registry::server {
namespace {

struct DiskFactory {
  ~DiskFactory() { EXPECT_TRUE(sys::remove_tree(root).ok()); }
  std::shared_ptr<Storage> open() { return open_disk_storage(root).value(); }
  const std::string root = testing::TempDir() + "skiff-registry-" + random_hex(6);
};

struct MemoryFactory {
  std::shared_ptr<Storage> open() { return storage; }
  const std::shared_ptr<Storage> storage = std::make_shared<MemoryStorage>();
};

using Factories = testing::Types<DiskFactory, MemoryFactory>;
INSTANTIATE_TYPED_TEST_SUITE_P(All, StorageConformance, Factories);

TEST(DiskStorageTest, BelongsToOneProcess) {
  DiskFactory factory;
  const auto storage = factory.open();
  EXPECT_EQ(open_disk_storage(factory.root).error().kind(), Kind::Conflict);
}

TEST(DiskStorageTest, HalfWrittenFilesOfACrashGo) {
  DiskFactory factory;
  factory.open().reset();
  ASSERT_TRUE(sys::replace_file(factory.root + "/tmp/left", "half").ok());
  factory.open().reset();
  EXPECT_FALSE(sys::exists(factory.root + "/tmp/left"));
}

TEST(DiskStorageTest, EmptyFoldersGoWithTheirLastObject) {
  DiskFactory factory;
  const auto storage = factory.open();
  ASSERT_TRUE(storage->write("a/b/c/d", "1").ok());
  ASSERT_TRUE(storage->write("a/e", "1").ok());
  ASSERT_TRUE(storage->remove("a/b/c/d").ok());
  EXPECT_TRUE(storage->list("a")->folders.empty());
  EXPECT_EQ(storage->list("a")->objects.size(), 1U);
}

}  // namespace
}  // namespace skiff::registry::server
