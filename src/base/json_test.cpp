#include "base/json.h"

#include <gtest/gtest.h>

namespace {

struct Inner {
  std::string name;
  std::vector<int> numbers;
};
void describe(skiff::json::Fields& f, Inner& inner) {
  f("Name", inner.name);
  f("Numbers", inner.numbers, skiff::json::Omit::Empty);
}

struct Outer {
  std::int64_t memory = 7;
  std::uint16_t port = 0;
  std::optional<bool> init;
  std::map<std::string, Inner> children;
  Inner first;
  skiff::Time created{};
};
void describe(skiff::json::Fields& f, Outer& outer) {
  f("Memory", outer.memory);
  f("Port", outer.port);
  f("Init", outer.init, skiff::json::Omit::Empty);
  f("Children", outer.children);
  f("First", outer.first);
  f("Created", outer.created);
}

TEST(Json, RoundTrip) {
  const std::string text =
      R"({"Memory":12,"Port":80,"Init":true,"Children":{"a":{"Name":"x","Numbers":[1,2]}},)"
      R"("First":{"Name":"y"},"Created":"2026-01-02T03:04:05.5Z"})";
  auto outer = skiff::json::decode<Outer>(text);
  ASSERT_TRUE(outer.ok()) << outer.error().message();
  EXPECT_EQ(outer->children["a"].numbers, (std::vector<int>{1, 2}));
  EXPECT_EQ(skiff::json::encode(*outer), text);
}

TEST(Json, LenientLikeGo) {
  auto outer = skiff::json::decode<Outer>(R"({"memory":3,"First":null,"Unknown":[1]} )");
  ASSERT_TRUE(outer.ok());
  EXPECT_EQ(outer->memory, 3);
  auto untouched = skiff::json::decode<Outer>(R"({"Memory":null})");
  ASSERT_TRUE(untouched.ok());
  EXPECT_EQ(untouched->memory, 7);
}

TEST(Json, WrongTypeNamesThePath) {
  auto outer = skiff::json::decode<Outer>(R"({"Children":{"a":{"Numbers":[1,"x"]}}})");
  ASSERT_FALSE(outer.ok());
  EXPECT_EQ(outer.error().kind(), skiff::Kind::InvalidArgument);
  EXPECT_NE(outer.error().message().find("Children.a.Numbers[1]"), std::string::npos)
      << outer.error().message();
}

TEST(Json, RefusesOverflowAndRubbish) {
  EXPECT_FALSE(skiff::json::decode<Outer>(R"({"Port":65536})").ok());
  EXPECT_FALSE(skiff::json::decode<Outer>(R"({"Port":-1})").ok());
  EXPECT_FALSE(skiff::json::decode<Outer>("[]").ok());
  EXPECT_FALSE(skiff::json::decode<Outer>("{} x").ok());
  EXPECT_FALSE(skiff::json::parse(std::string(100, '[') + std::string(100, ']')).ok());
}

}  // namespace
