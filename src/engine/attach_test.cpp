#include "engine/attach.h"

#include <gtest/gtest.h>

#include "engine/frames.h"

namespace skiff::engine {
namespace {

using namespace std::string_literals;

TEST(DetachKeys, ReadsDockersSpelling) {
  EXPECT_EQ(*parse_detach_keys(""), "\x10\x11");
  EXPECT_EQ(*parse_detach_keys("ctrl-p,ctrl-q"), "\x10\x11");
  EXPECT_EQ(*parse_detach_keys("a,ctrl-@,ctrl-["), "a\0\x1b"s);
  EXPECT_FALSE(parse_detach_keys("ctrl-1").ok());
  EXPECT_FALSE(parse_detach_keys("abc").ok());
  EXPECT_FALSE(parse_detach_keys("ctrl-p,,").ok());
}

TEST(Frames, HaveDockersHeader) {
  EXPECT_EQ(frame(2, "abc"),
            "\x02\0\0\0\0\0\0\x03"
            "abc"s);
  EXPECT_EQ(frame(1, std::string(258, 'x')).substr(0, 8), "\x01\0\0\0\0\0\x01\x02"s);
}

}  // namespace
}  // namespace skiff::engine
