#include "build/frontend/expand.h"

#include <gtest/gtest.h>

namespace skiff::build {
namespace {

std::optional<std::string> value_of(std::string_view name) {
  if (name == "x") return "X";
  if (name == "empty") return "";
  if (name == "path") return "/usr/local/bin/tool.tar.gz";
  if (name == "a_1") return "A";
  return std::nullopt;
}

struct Case {
  const char* word;
  const char* wanted;  ///< "!..." is an error's message after `failed to process ...: `
};

class Expand : public testing::TestWithParam<Case> {};

TEST_P(Expand, Resolves) {
  const auto result = expand(GetParam().word, '\\', value_of);
  const std::string wanted = GetParam().wanted;
  if (wanted.starts_with('!')) {
    ASSERT_FALSE(result.ok());
    EXPECT_TRUE(result.error().message().ends_with(": " + wanted.substr(1))) << result.error().message();
    EXPECT_TRUE(result.error().message().starts_with("failed to process \""));
  } else {
    ASSERT_TRUE(result.ok()) << result.error().message();
    EXPECT_EQ(*result, wanted);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, Expand,
    testing::Values(
        Case{"", ""}, Case{"a", "a"}, Case{"$x", "X"}, Case{"${x}", "X"}, Case{"$x$x", "XX"},
        Case{"${x}y", "Xy"}, Case{"$xy", ""}, Case{"$a_1.b", "A.b"}, Case{"\\$x", "$x"}, Case{"'$x'", "$x"},
        Case{"\"$x\"", "X"}, Case{"\"\\$x\"", "$x"}, Case{"\"a\\b\"", "a\\b"}, Case{"\"a\\\"b\"", "a\"b"},
        Case{"a\\ b", "a b"}, Case{"'a\"b'", "a\"b"}, Case{"\"it's\"", "it's"}, Case{"$", "$"},
        Case{"$1", ""}, Case{"$-", "$-"}, Case{"a$", "a$"}, Case{"${unset:-d}", "d"},
        Case{"${empty:-d}", "d"}, Case{"${empty-d}", ""}, Case{"${unset-d}", "d"}, Case{"${x:-d}", "X"},
        Case{"${x:+d}", "d"}, Case{"${unset:+d}", ""}, Case{"${empty:+d}", ""}, Case{"${empty+d}", "d"},
        Case{"${unset:-${x}}", "X"}, Case{"${unset:-\"a b\"}", "a b"}, Case{"${x:?boo}", "X"},
        Case{"${unset:?boo}", "!unset: boo"}, Case{"${unset?}", "!unset: is not allowed to be unset"},
        Case{"${empty:?no}", "!empty: no"}, Case{"${empty?no}", ""}, Case{"${path##*/}", "tool.tar.gz"},
        Case{"${path#*/}", "usr/local/bin/tool.tar.gz"}, Case{"${path%.*}", "/usr/local/bin/tool.tar"},
        Case{"${path%%.*}", "/usr/local/bin/tool"}, Case{"${path/usr/opt}", "/opt/local/bin/tool.tar.gz"},
        Case{"${path//\\//-}", "-usr-local-bin-tool.tar.gz"}, Case{"${x", "!syntax error: missing '}'"},
        Case{"${x:", "!syntax error: missing '}'"}, Case{"${x:-", "!syntax error: missing '}'"},
        Case{"${x:*}", "!unsupported modifier (:*) in substitution"},
        Case{"${x!}", "!unsupported modifier (!) in substitution"}, Case{"${}", "!bad substitution"},
        Case{"'a", "!unexpected end of statement while looking for matching single-quote"},
        Case{"\"a", "!unexpected end of statement while looking for matching double-quote"}));

TEST(ExpandMore, OtherEscape) { EXPECT_EQ(*expand("`$x\\$x", '`', value_of), "$x\\X"); }

TEST(ExpandMore, Words) {
  EXPECT_EQ(*expand_words("80 ${unset:-90 91}", '\\', value_of),
            (std::vector<std::string>{"80", "90", "91"}));
}

TEST(ExpandMore, TextKeepsQuotes) {
  EXPECT_EQ(*expand_text("say \"$x\" '\\$x' \\n", '\\', value_of), "say \"X\" '$x' \\n");
}

TEST(ExpandMore, DeepNestingIsRefused) {
  std::string word;
  for (int i = 0; i < 1000; ++i) word += "${u:-";
  EXPECT_FALSE(expand(word, '\\', value_of).ok());
}

}  // namespace
}  // namespace skiff::build
