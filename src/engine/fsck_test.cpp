#include "engine/fsck.h"

#include <gtest/gtest.h>

#include "engine/testing/rig.h"

namespace skiff::engine {
namespace {

using testing::Rig;

TEST(Fsck, NothingIsExchangedUnderARunningContainer) {
  Rig rig;
  rig.create("web");
  rig.create("other");
  const std::string key = snapshot_key(rig.get("web").id);
  rig.images->fake_snapshots.parents = {{key, "upper"}, {"upper", "lower"}, {"lower", ""}};
  std::set<std::string> idle;
  int worked = 0;
  const auto work = [&](const std::set<std::string>& still) -> Result<void> {
    ++worked;
    idle = still;
    return {};
  };
  ASSERT_TRUE(while_containers_are_still(*rig.parts, *rig.set, "lower", work).ok());
  EXPECT_EQ(idle, std::set<std::string>{key});
  ASSERT_TRUE(while_containers_are_still(*rig.parts, *rig.set, "elsewhere", work).ok());
  EXPECT_TRUE(idle.empty());

  ASSERT_TRUE(rig.lifecycle->start("web").ok());
  const auto refused = while_containers_are_still(*rig.parts, *rig.set, "upper", work);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind(), Kind::Conflict);
  EXPECT_EQ(refused.error().message(),
            fmt::format("container {} runs on it: stop it first", short_id(rig.get("web").id)));
  EXPECT_EQ(worked, 2);
  ASSERT_TRUE(rig.lifecycle->stop("web", 0, "").ok());
  EXPECT_TRUE(while_containers_are_still(*rig.parts, *rig.set, "upper", work).ok());
}

}  // namespace
}  // namespace skiff::engine
