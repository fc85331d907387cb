#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "registry/server/storage.h"

namespace skiff::registry::server {

/// What every Storage must do: one suite for the disk, for object stores, and for the fake that the other
/// tests stand on. `Factory` has open(), which gives the same storage anew after a "restart", and is made
/// afresh for each test.
template <typename Factory>
class StorageConformance : public testing::Test {
 protected:
  void SetUp() override { storage_ = factory_.open(); }

  std::string content(const std::string& key, std::uint64_t first, std::uint64_t length) {
    const auto opened = storage_->open(key).value();
    std::string out;
    const auto copied = opened.copy(first, length, [&](std::string_view bytes) {
      out += bytes;
      return success();
    });
    EXPECT_TRUE(copied.ok());
    return out;
  }

  Factory factory_;
  std::shared_ptr<Storage> storage_;
};

TYPED_TEST_SUITE_P(StorageConformance);

TYPED_TEST_P(StorageConformance, ObjectsAreWrittenReplacedAndRemoved) {
  auto& storage = *this->storage_;
  EXPECT_EQ(storage.read("a/b/c").error().kind(), Kind::NotFound);
  ASSERT_TRUE(storage.write("a/b/c", "one").ok());
  EXPECT_EQ(storage.read("a/b/c").value(), "one");
  ASSERT_TRUE(storage.write("a/b/c", "three").ok());
  EXPECT_EQ(storage.read("a/b/c").value(), "three");
  EXPECT_EQ(storage.stat("a/b/c")->size, 5U);
  EXPECT_EQ(this->content("a/b/c", 2, 2), "re");
  ASSERT_TRUE(storage.write("a/b/empty", "").ok());
  EXPECT_EQ(storage.read("a/b/empty").value(), "");
  ASSERT_TRUE(storage.remove("a/b/c").ok());
  for (const auto kind : {storage.remove("a/b/c").error().kind(), storage.read("a/b/c").error().kind(),
                          storage.stat("a/b/c").error().kind(), storage.stat("a/b").error().kind(),
                          storage.touch("a/b/c").error().kind(), storage.open("a/b/c").error().kind()})
    EXPECT_EQ(kind, Kind::NotFound);
}

TYPED_TEST_P(StorageConformance, FoldersListWhatIsDirectlyBelow) {
  auto& storage = *this->storage_;
  for (const auto* key : {"f/b", "f/a", "f/sub/x", "f/sub/y", "f/sub-2/x", "g/z"})
    ASSERT_TRUE(storage.write(key, "1").ok());
  auto listing = storage.list("f").value();
  EXPECT_EQ(listing.objects, (std::vector<std::string>{"a", "b"}));
  std::sort(listing.folders.begin(), listing.folders.end());
  EXPECT_EQ(listing.folders, (std::vector<std::string>{"sub", "sub-2"}));
  EXPECT_TRUE(storage.list("nosuch")->objects.empty());
  ASSERT_TRUE(storage.remove("g/z").ok());
  EXPECT_TRUE(storage.list("g")->objects.empty());
}

TYPED_TEST_P(StorageConformance, AnIncomingGrowsInSeveralRequestsAndBecomesAnObject) {
  auto& storage = *this->storage_;
  {
    auto incoming = storage.create_incoming("id").value();
    EXPECT_EQ(incoming->size(), 0U);
    ASSERT_TRUE(incoming->append("hello ").ok());
    ASSERT_TRUE(incoming->suspend().ok());
  }
  auto incoming = storage.open_incoming("id").value();
  ASSERT_EQ(incoming->size(), 6U);
  ASSERT_TRUE(incoming->append("world").ok());
  std::string seen;
  const auto look = [&](std::string_view bytes) {
    seen += bytes;
    return success();
  };
  ASSERT_TRUE(incoming->read(0, 11, look).ok());
  ASSERT_TRUE(incoming->read(4, 3, look).ok());
  EXPECT_EQ(seen, "hello worldo w");
  EXPECT_EQ(storage.list_incoming()->size(), 1U);
  EXPECT_EQ(storage.stat("x/y").error().kind(), Kind::NotFound);
  ASSERT_TRUE(incoming->commit("x/y").ok());
  EXPECT_EQ(storage.read("x/y").value(), "hello world");
  EXPECT_EQ(storage.open_incoming("id").error().kind(), Kind::NotFound);
  EXPECT_TRUE(storage.list_incoming()->empty());
}

TYPED_TEST_P(StorageConformance, AnIncomingCanBeForgotten) {
  auto& storage = *this->storage_;
  ASSERT_TRUE(storage.create_incoming("id").ok());
  ASSERT_TRUE(storage.remove_incoming("id").ok());
  EXPECT_EQ(storage.remove_incoming("id").error().kind(), Kind::NotFound);
  EXPECT_EQ(storage.open_incoming("id").error().kind(), Kind::NotFound);
}

TYPED_TEST_P(StorageConformance, AnEmptyIncomingBecomesAnEmptyObject) {
  auto incoming = this->storage_->create_incoming("id").value();
  ASSERT_TRUE(incoming->commit("empty").ok());
  EXPECT_EQ(this->storage_->read("empty").value(), "");
}

TYPED_TEST_P(StorageConformance, EverythingSurvivesARestart) {
  ASSERT_TRUE(this->storage_->write("a/b", "kept").ok());
  {
    auto incoming = this->storage_->create_incoming("id").value();
    ASSERT_TRUE(incoming->append("half").ok());
    ASSERT_TRUE(incoming->suspend().ok());
  }
  this->storage_.reset();
  this->storage_ = this->factory_.open();
  EXPECT_EQ(this->storage_->read("a/b").value(), "kept");
  EXPECT_EQ(this->storage_->open_incoming("id").value()->size(), 4U);
}

REGISTER_TYPED_TEST_SUITE_P(StorageConformance, ObjectsAreWrittenReplacedAndRemoved,
                            FoldersListWhatIsDirectlyBelow,
                            AnIncomingGrowsInSeveralRequestsAndBecomesAnObject, AnIncomingCanBeForgotten,
                            AnEmptyIncomingBecomesAnEmptyObject, EverythingSurvivesARestart);

}  // namespace skiff::registry::server
