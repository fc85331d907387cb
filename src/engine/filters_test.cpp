#include "engine/filters.h"

#include <gtest/gtest.h>

namespace skiff::engine {
namespace {

TEST(Filters, ReadsBothForms) {
  const auto list = Filters::parse(R"({"status":["running","exited"]})");
  ASSERT_TRUE(list.ok());
  EXPECT_TRUE(list->exact("status", "exited"));
  EXPECT_FALSE(list->exact("status", "paused"));
  const auto map = Filters::parse(R"({"status":{"running":true,"exited":false}})");
  ASSERT_TRUE(map.ok());
  EXPECT_TRUE(map->exact("status", "running"));
  EXPECT_FALSE(map->exact("status", "exited"));
}

TEST(Filters, RefusesOtherShapes) {
  for (const char* text : {"[]", "{\"a\":1}", "{\"a\":[1]}", "{\"a\":{\"b\":1}}", "x"}) {
    const auto result = Filters::parse(text);
    ASSERT_FALSE(result.ok()) << text;
    EXPECT_EQ(result.error().kind(), Kind::InvalidArgument);
  }
  EXPECT_TRUE(Filters::parse("").ok());
}

TEST(Filters, NamesItDoesNotKnow) {
  Filters filters;
  filters.add("colour", "red");
  EXPECT_EQ(filters.check({"status"}).error().message(), "invalid filter 'colour'");
  EXPECT_TRUE(filters.check({"status", "colour"}).ok());
}

TEST(Filters, MatchesIdsByPrefixAndNamesByPart) {
  Filters filters;
  filters.add("id", "abc");
  filters.add("name", "^/web");
  EXPECT_TRUE(filters.prefix("id", "abcdef"));
  EXPECT_FALSE(filters.prefix("id", "xabc"));
  EXPECT_TRUE(filters.pattern("name", "/web1"));
  EXPECT_FALSE(filters.pattern("name", "/myweb"));
  EXPECT_TRUE(filters.pattern("absent", "whatever"));
}

TEST(Filters, LongPatternsAreNotRun) {
  Filters filters;
  filters.add("name", std::string(100000, '('));
  EXPECT_FALSE(filters.pattern("name", "x"));
}

TEST(Filters, LabelsAllHaveToMatch) {
  Filters filters;
  filters.add("label", "a");
  filters.add("label", "b=1");
  EXPECT_TRUE(filters.labels({{"a", ""}, {"b", "1"}}));
  EXPECT_FALSE(filters.labels({{"a", ""}, {"b", "2"}}));
  Filters without;
  without.add("label!", "keep");
  EXPECT_FALSE(without.labels({{"keep", "x"}}));
  EXPECT_TRUE(without.labels({}));
}

TEST(Filters, Booleans) {
  Filters filters;
  filters.add("dangling", "true");
  filters.add("odd", "maybe");
  EXPECT_TRUE(*filters.boolean("dangling", false));
  EXPECT_TRUE(*filters.boolean("absent", true));
  EXPECT_FALSE(filters.boolean("odd", true).ok());
}

}  // namespace
}  // namespace skiff::engine
