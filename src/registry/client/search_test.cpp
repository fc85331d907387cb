#include "registry/client/search.h"

#include <gtest/gtest.h>

#include "base/base64.h"
#include "registry/testing/fake_registry.h"

namespace skiff::registry {
namespace {

using testing::FakeRegistry;

TEST(Search, ATermNamesItsRegistry) {
  const auto parts = [](std::string_view term) {
    const auto parsed = *parse_search_term(term);
    return parsed.domain + " " + parsed.words;
  };
  EXPECT_EQ(parts("busybox"), "docker.io busybox");
  EXPECT_EQ(parts("library/busybox"), "docker.io busybox");
  EXPECT_EQ(parts("someone/tool"), "docker.io someone/tool");
  EXPECT_EQ(parts("localhost/tool"), "localhost tool");
  EXPECT_EQ(parts("host:5000/library/tool"), "host:5000 library/tool");
  EXPECT_EQ(parts("index.docker.io/library/tool"), "docker.io tool");
  EXPECT_EQ(parts(""), "docker.io ");
  EXPECT_EQ(parse_search_term("https://host/x").error().message(),
            "invalid repository name: repository name (https://host/x) should not have a scheme");
}

/// A registry that answers searches with `body`.
class SearchTest : public ::testing::Test {
 protected:
  SearchTest() {
    registry.intercept = [this](http::Exchange& http) {
      if (http.path() != "/v1/search") return false;
      authorization = http.fields().get("Authorization");
      (void)http.send(status, body);
      return true;
    };
  }
  Result<std::vector<spec::docker::SearchResult>> ask(int limit = 25, const Credentials& credentials = {}) {
    return search({registry.host(), "a b/c"}, limit, credentials, FakeRegistry::settings(), {});
  }

  FakeRegistry registry;
  int status = 200;
  std::string body = R"({"results":[{"name":"one","star_count":3,"is_official":true}]})";
  std::string authorization;
};

TEST_F(SearchTest, WhatIsFound) {
  const auto found = ask(7);
  ASSERT_TRUE(found.ok()) << found.error().message();
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->front().name, "one");
  EXPECT_TRUE(found->front().is_official);
  EXPECT_EQ(registry.count("GET /v1/search?q=a+b%2Fc&n=7 "), 1U);
  EXPECT_EQ(authorization, "");
}

TEST_F(SearchTest, CredentialsGoAlong) {
  ASSERT_TRUE(ask(25, {"user", "secret"}).ok());
  EXPECT_EQ(authorization, "Basic " + encode_base64("user:secret"));
}

TEST_F(SearchTest, WhatIsWrongIsSaid) {
  EXPECT_EQ(ask(0).error().message(), "limit 0 is outside the range of [1, 100]");
  EXPECT_EQ(ask(101).error().message(), "limit 101 is outside the range of [1, 100]");
  status = 404;
  EXPECT_EQ(ask().error().message(), "Unexpected status code 404");
  status = 200;
  body = "<html>";
  EXPECT_TRUE(ask().error().message().starts_with("error decoding registry search results: "));
}

}  // namespace
}  // namespace skiff::registry
