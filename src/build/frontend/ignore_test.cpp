#include "build/frontend/ignore.h"

#include <gtest/gtest.h>

namespace skiff::build {
namespace {

struct Case {
  const char* rules;
  const char* path;
  bool excluded;
};

class Ignore : public testing::TestWithParam<Case> {};

TEST_P(Ignore, Decides) {
  const auto rules = IgnoreRules::parse(GetParam().rules);
  ASSERT_TRUE(rules.ok()) << rules.error().message();
  EXPECT_EQ(rules->excludes(GetParam().path), GetParam().excluded)
      << GetParam().rules << " | " << GetParam().path;
}

INSTANTIATE_TEST_SUITE_P(
    All, Ignore,
    testing::Values(Case{"", "a", false}, Case{"a", "a", true}, Case{"a", "a/b", true},
                    Case{"a", "b/a", false}, Case{"/a", "a", true}, Case{"./a/", "a/b", true},
                    Case{"*.o", "x.o", true}, Case{"*.o", "d/x.o", false}, Case{"*/*.o", "d/x.o", true},
                    Case{"**/*.o", "x.o", true}, Case{"**/*.o", "a/b/x.o", true}, Case{"a/**", "a/b/c", true},
                    Case{"a/**", "a", false}, Case{"a/**/b", "a/b", true}, Case{"a/**/b", "a/x/y/b", true},
                    Case{"a/**/b", "a/x/yb", false}, Case{"**", "x/y", true},
                    Case{"a\n!a/keep", "a/keep", false}, Case{"a\n!a/keep", "a/other", true},
                    Case{"a\n!a/keep\na/keep", "a/keep", true}, Case{"# a\na", "# a", false},
                    Case{"  a  ", "a", true}, Case{"*\n!d", "d/x", false}, Case{"a?c", "abc", true},
                    Case{"a?c", "a/c", false}, Case{"[a-c]x", "bx", true}, Case{"[^a-c]x", "bx", false},
                    Case{"[^a-c]x", "dx", true}, Case{"\\*", "*", true}, Case{"\\*", "a", false},
                    Case{"a\r\nb\r\n", "b", true}, Case{"a.b", "axb", false}, Case{"(a)+", "(a)+", true}));

TEST(IgnoreRulesMore, Errors) {
  EXPECT_EQ(IgnoreRules::parse("a\n!\n").error().message(),
            ".dockerignore line 2: illegal exclusion pattern: \"!\"");
  EXPECT_EQ(IgnoreRules::parse("[a").error().message(),
            ".dockerignore line 1: \"[a\": syntax error in pattern");
}

TEST(Pattern, FileStyle) {
  EXPECT_TRUE(Pattern::compile("a*/b?", Pattern::Style::File)->matches("abc/bd"));
  EXPECT_FALSE(Pattern::compile("a*", Pattern::Style::File)->matches("a/b"));
  EXPECT_FALSE(Pattern::compile("a**", Pattern::Style::File)->matches("a/b"));
  for (const char* bad : {"[", "[]", "[a", "[a-]", "[-a]", "[a-b-c]", "a\\"})
    EXPECT_FALSE(Pattern::compile(bad, Pattern::Style::File).ok()) << bad;
  EXPECT_TRUE(Pattern::compile("[b-a]", Pattern::Style::File).ok());
  EXPECT_FALSE(Pattern::compile("[b-a]", Pattern::Style::Ignore).ok());
}

TEST(Pattern, LongPatternsDoNotExplode) {
  std::string text, path(2000, 'a');
  for (int i = 0; i < 200; ++i) text += "*a**/";
  EXPECT_FALSE(Pattern::compile(text + "b", Pattern::Style::Ignore)->matches(path));
}

TEST(Pattern, Wildcards) {
  EXPECT_TRUE(has_wildcards("a*"));
  EXPECT_TRUE(has_wildcards("[a]"));
  EXPECT_FALSE(has_wildcards("a\\*"));
  EXPECT_FALSE(has_wildcards("plain/name"));
}

}  // namespace
}  // namespace skiff::build
