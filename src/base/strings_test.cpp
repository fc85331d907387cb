#include "base/strings.h"

#include <gtest/gtest.h>

namespace {

TEST(Strings, Sizes) {
  EXPECT_EQ(skiff::parse_ram_size("64m"), 64 << 20);
  EXPECT_EQ(skiff::parse_ram_size("1.5GiB"), 1610612736);
  EXPECT_EQ(skiff::parse_ram_size("512"), 512);
  EXPECT_EQ(skiff::parse_ram_size("32 kb"), 32 << 10);
  EXPECT_FALSE(skiff::parse_ram_size("x"));
  EXPECT_FALSE(skiff::parse_ram_size("-1m"));
  EXPECT_FALSE(skiff::parse_ram_size("1zb"));
  EXPECT_EQ(skiff::human_size(0), "0B");
  EXPECT_EQ(skiff::human_size(72'800'000, 3), "72.8MB");
  EXPECT_EQ(skiff::human_size(1000), "1kB");
  EXPECT_EQ(skiff::bytes_size(1.5 * (1 << 30)), "1.5GiB");
}

TEST(Strings, Parts) {
  EXPECT_EQ(skiff::split("a,,b", ','), (std::vector<std::string>{"a", "", "b"}));
  EXPECT_EQ(skiff::cut("a=b=c", '=').second, "b=c");
  EXPECT_FALSE(skiff::cut("a", '=').second);
  EXPECT_EQ(skiff::trim(" \t x \n"), "x");
  EXPECT_EQ(skiff::quote("a\"b\n"), "\"a\\\"b\\n\"");
  EXPECT_EQ(skiff::parse_int("-12"), -12);
  EXPECT_FALSE(skiff::parse_int("12a"));
  EXPECT_FALSE(skiff::parse_int("99999999999999999999"));
}

}  // namespace
