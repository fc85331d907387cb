#include "volume/service.h"

#include <sys/mount.h>

#include <gtest/gtest.h>

#include "base/ids.h"
#include "network/testing/memory_database.h"
#include "sys/file.h"

namespace skiff::volume {
namespace {

class Volumes : public ::testing::Test {
 protected:
  void SetUp() override { volumes_ = *Service::open(root_, database_); }
  void TearDown() override { EXPECT_TRUE(sys::remove_tree(root_).ok()); }
  std::string failure(const std::string& name, std::map<std::string, std::string> options = {}) {
    return volumes_->create({name, "", std::move(options), {}}).error().message();
  }
  std::string root_ = "/tmp/skiff-volume-test-" + random_hex(6);
  network::testing::MemoryDatabase database_;
  std::unique_ptr<Service> volumes_;
};

TEST_F(Volumes, AreMadeOnceAndFoundAgain) {
  const auto made = volumes_->create({"data", "", {}, {{"a", "b"}}});
  ASSERT_TRUE(made.ok()) << made.error().message();
  EXPECT_EQ(made->mountpoint, root_ + "/data/_data");
  EXPECT_TRUE(sys::exists(made->mountpoint));
  EXPECT_EQ(volumes_->create({"data", "", {}, {}})->labels.at("a"), "b");
  EXPECT_TRUE(*volumes_->is_empty("data"));
  volumes_ = *Service::open(root_, database_);
  EXPECT_EQ(volumes_->inspect("data")->created_at, made->created_at);
  EXPECT_EQ(volumes_->inspect("nope").error().message(), "get nope: no such volume");
}

TEST_F(Volumes, RefuseBadNamesAndOptionsInDockersWords) {
  EXPECT_EQ(failure("a"),
            "create a: volume name is too short, names should be at least two alphanumeric characters");
  EXPECT_TRUE(failure("../x").starts_with("create ../x: \"../x\" includes invalid characters"));
  EXPECT_EQ(failure("v1", {{"foo", "x"}}), "create v1: invalid option: \"foo\"");
  EXPECT_EQ(failure("v1", {{"type", "tmpfs"}}), "create v1: missing required option: \"device\"");
  EXPECT_EQ(volumes_->create({"v1", "foo", {}, {}}).error().message(),
            "create v1: error looking up volume plugin foo: plugin \"foo\" not found");
  EXPECT_FALSE(sys::exists(root_ + "/v1"));
}

TEST_F(Volumes, AreHeldByContainers) {
  ASSERT_TRUE(volumes_->create({"data", "", {}, {}}).ok());
  ASSERT_TRUE(volumes_->acquire("data", "c1").ok());
  volumes_ = *Service::open(root_, database_);
  EXPECT_EQ(volumes_->remove("data", true).error().message(), "remove data: volume is in use - [c1]");
  EXPECT_TRUE(volumes_->prune(true)->names.empty());
  ASSERT_TRUE(volumes_->release("c1").ok());
  EXPECT_TRUE(volumes_->remove("data", false).ok());
  EXPECT_FALSE(sys::exists(root_ + "/data"));
  EXPECT_FALSE(volumes_->remove("data", false).ok());
  EXPECT_TRUE(volumes_->remove("data", true).ok());
}

TEST_F(Volumes, PruneTakesAnonymousOnesOnly) {
  ASSERT_TRUE(volumes_->create({"named", "", {}, {}}).ok());
  const auto anonymous = volumes_->create({});
  EXPECT_EQ(anonymous->name.size(), 64U);
  ASSERT_TRUE(sys::replace_file(anonymous->mountpoint + "/x", std::string(8192, 'x')).ok());
  const auto pruned = volumes_->prune(false);
  EXPECT_EQ(pruned->names, std::vector{anonymous->name});
  EXPECT_GE(pruned->bytes, 8192U);
  EXPECT_EQ(volumes_->prune(true)->names, std::vector<std::string>{"named"});
}

TEST_F(Volumes, SayHowTheyAreMounted) {
  ASSERT_TRUE(volumes_->create({"data", "", {}, {}}).ok());
  ASSERT_TRUE(
      volumes_->create({"fast", "", {{"type", "tmpfs"}, {"device", "tmpfs"}, {"o", "size=1m,mode=700"}}, {}})
          .ok());
  ASSERT_TRUE(
      volumes_->create({"bound", "", {{"type", "none"}, {"device", "/srv"}, {"o", "bind"}}, {}}).ok());
  EXPECT_EQ(volumes_->mount_of("data")->source, root_ + "/data/_data");
  EXPECT_EQ(volumes_->mount_of("fast")->type, "tmpfs");
  EXPECT_EQ(volumes_->mount_of("fast")->options, (std::vector<std::string>{"size=1m", "mode=700"}));
  EXPECT_EQ(volumes_->mount_of("bound")->type, "bind");
  EXPECT_EQ(volumes_->mount_of("bound")->source, "/srv");
  EXPECT_FALSE(*volumes_->is_empty("fast"));
}

TEST_F(Volumes, WhatIsRemovedNeverComesBack) {
  const auto remain = [&](const std::string& name) {
    // A crash came between the record's end and the directory's.
    ASSERT_TRUE(database_
                    .write([&](auto& transaction) { return transaction.put("volumes_gone", name, "{}"); },
                           meta::Durability::Full)
                    .ok());
    ASSERT_TRUE(sys::make_directories(root_ + "/" + name + "/_data").ok());
    ASSERT_TRUE(sys::replace_file(root_ + "/" + name + "/_data/secret", "x").ok());
  };
  remain("gone");
  const auto live = volumes_->create({"live", "", {}, {}});
  remain("live");
  volumes_ = *Service::open(root_, database_);
  EXPECT_FALSE(sys::exists(root_ + "/gone"));
  EXPECT_TRUE(sys::exists(live->mountpoint + "/secret"));
  ASSERT_TRUE(volumes_->remove("live", false).ok());
  EXPECT_FALSE(sys::exists(root_ + "/live"));
  EXPECT_EQ(database_.count("volumes_gone"), 0u);
  // Something keeps the directory from going; a volume of its name does not inherit it.
  ASSERT_TRUE(volumes_->create({"busy", "", {}, {}}).ok());
  ASSERT_TRUE(sys::replace_file(root_ + "/busy/_data/secret", "x").ok());
  ASSERT_EQ(::mount("none", (root_ + "/busy").c_str(), "tmpfs", 0, nullptr), 0);
  EXPECT_TRUE(volumes_->remove("busy", false).ok());
  EXPECT_EQ(database_.count("volumes_gone"), 1u);
  EXPECT_FALSE(volumes_->create({"busy", "", {}, {}}).ok());
  ASSERT_EQ(::umount2((root_ + "/busy").c_str(), 0), 0);
  EXPECT_TRUE(sys::exists(root_ + "/busy/_data/secret"));
  ASSERT_TRUE(volumes_->create({"busy", "", {}, {}}).ok());
  EXPECT_TRUE(*volumes_->is_empty("busy"));
  EXPECT_EQ(database_.count("volumes_gone"), 0u);
}

TEST_F(Volumes, LeaveNothingWhenTheDatabaseFails) {
  database_.failing = true;
  EXPECT_FALSE(volumes_->create({"data", "", {}, {}}).ok());
  EXPECT_FALSE(sys::exists(root_ + "/data"));
  // What was there before is nobody's to delete.
  ASSERT_TRUE(sys::make_directories(root_ + "/data/_data/found").ok());
  EXPECT_FALSE(volumes_->create({"data", "", {}, {}}).ok());
  EXPECT_TRUE(sys::exists(root_ + "/data/_data/found"));
}

}  // namespace
}  // namespace skiff::volume
