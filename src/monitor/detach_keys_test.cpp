#include "monitor/detach_keys.h"

#include <gtest/gtest.h>

namespace skiff::monitor {
namespace {

TEST(DetachKeys, OffWithoutSequence) {
  DetachKeys keys("");
  const auto step = keys.feed("a\x10\x11");
  EXPECT_EQ(step.input, "a\x10\x11");
  EXPECT_FALSE(step.detached);
}

TEST(DetachKeys, SequenceDetachesAndIsNotPassedOn) {
  DetachKeys keys("\x10\x11");
  auto step = keys.feed("ab\x10");
  EXPECT_EQ(step.input, "ab");
  EXPECT_FALSE(step.detached);
  step = keys.feed("\x11rest");
  EXPECT_EQ(step.input, "");
  EXPECT_TRUE(step.detached);
}

TEST(DetachKeys, HeldBackKeysComeWhenTheSequenceBreaks) {
  DetachKeys keys("\x10\x11");
  EXPECT_EQ(keys.feed("\x10").input, "");
  EXPECT_EQ(keys.feed("x").input, "\x10x");
  EXPECT_EQ(keys.feed("\x10").input, "");
  EXPECT_EQ(keys.finish(), "\x10");
  EXPECT_EQ(keys.finish(), "");
}

TEST(DetachKeys, TheKeyThatBreaksTheSequenceIsPassedOnAtOnce) {
  DetachKeys keys("\x10\x11");
  auto step = keys.feed("\x10\x10");
  EXPECT_EQ(step.input, "\x10\x10");
  step = keys.feed("\x11");
  EXPECT_EQ(step.input, "\x11");
  EXPECT_FALSE(step.detached);
  step = keys.feed("\x10\x11");
  EXPECT_EQ(step.input, "");
  EXPECT_TRUE(step.detached);
}

}  // namespace
}  // namespace skiff::monitor
