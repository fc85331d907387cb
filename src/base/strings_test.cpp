#include "base/strings.h"

#include <gtest/gtest.h>

#include "base/base64.h"

namespace {

TEST(Base64, PadsAsTheStandardSays) {
  using namespace std::string_view_literals;
  for (const auto& [bytes, text] : {std::pair{""sv, ""sv},
                                    {"f"sv, "Zg=="sv},
                                    {"fo"sv, "Zm8="sv},
                                    {"foo"sv, "Zm9v"sv},
                                    {"\xff\xfe\x00x"sv, "//4AeA=="sv}}) {
    EXPECT_EQ(skiff::encode_base64(bytes), text);
    EXPECT_EQ(skiff::decode_base64(text), bytes);
  }
  EXPECT_EQ(skiff::encode_base64_url("\xff\xfe\xfd"), "__79");
  EXPECT_EQ(skiff::decode_base64("__79"), "\xff\xfe\xfd");
  EXPECT_EQ(skiff::decode_base64("Zm8"), "fo");
  EXPECT_EQ(skiff::decode_base64("Zm\n9v\n"), "foo");
  for (const char* bad : {"Z", "Zm8==", "Zg=", "Zm=v", "Zm 8", "Zm8*"})
    EXPECT_FALSE(skiff::decode_base64(bad)) << bad;
}

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
