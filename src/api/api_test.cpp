#include <gtest/gtest.h>

#include <set>

#include "api/build_request.h"
#include "api/pattern.h"
#include "api/query.h"
#include "api/routes.h"
#include "api/size.h"
#include "api/status.h"
#include "api/version.h"

namespace skiff::api {
namespace {

using List = std::vector<std::string>;

TEST(VersionTest, Negotiates) {
  EXPECT_EQ(negotiate("/info")->version, kCurrentVersion);
  EXPECT_EQ(negotiate("/v1.30/info")->version, (ApiVersion{1, 30}));
  EXPECT_EQ(negotiate("/v1.30/info")->path, "/info");
  EXPECT_EQ(negotiate("/volumes")->path, "/volumes");
  EXPECT_EQ(negotiate("/v1/volumes")->path, "/v1/volumes");
  EXPECT_EQ(negotiate("/v1.10/info").error().message(),
            "client version 1.10 is too old. Minimum supported API version is 1.24, please upgrade your "
            "client to a newer "
            "version");
  EXPECT_EQ(negotiate("/v1.99/info").error().message(),
            "client version 1.99 is too new. Maximum supported API version is 1.51");
  EXPECT_FALSE(negotiate("/v2.0/info").ok());
}

TEST(PatternTest, Matches) {
  EXPECT_EQ(match("/info", "/info"), List{});
  EXPECT_EQ(match("/containers/{id}/json", "/containers/abc/json"), List{"abc"});
  EXPECT_FALSE(match("/containers/{id}/json", "/containers//json"));
  EXPECT_FALSE(match("/containers/{id}/json", "/containers/a/b/json"));
  EXPECT_FALSE(match("/info", "/info/x"));
  EXPECT_FALSE(match("/info", "info"));
  EXPECT_EQ(match("/images/{name...}/json", "/images/h:5000/a/b:t/json"), List{"h:5000/a/b:t"});
  EXPECT_EQ(match("/images/{name...}/json", "/images/json/json"), List{"json"});
  EXPECT_EQ(match("/images/{name...}", "/images/a/json"), List{"a/json"});
  EXPECT_FALSE(match("/images/{name...}/json", "/images/json"));
  EXPECT_FALSE(match("/images/{name...}", "/images/"));
}

TEST(RoutesTest, EveryRouteIsReachable) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const auto& route : routes()) {
    EXPECT_TRUE(seen.emplace(route.method, route.pattern).second) << route.pattern << " stands there twice";
    EXPECT_NE(route.handler, nullptr);
    // A path made from the pattern must lead to it, not to an earlier route.
    std::string path(route.pattern);
    for (std::size_t open = 0; (open = path.find('{')) != std::string::npos;)
      path.replace(open, path.find('}') - open + 1, "zz");
    const std::string method = route.method == "*" ? "GET" : std::string(route.method);
    for (const auto& first : routes()) {
      if ((first.method != method && first.method != "*") || !match(first.pattern, path)) continue;
      EXPECT_EQ(first.pattern, route.pattern) << path;
      break;
    }
  }
}

TEST(QueryTest, ReadsAsDocker) {
  const auto query = Query::parse("all=1&size=False&t=5&bad=x&name=a%20b+c&t=6&flag");
  EXPECT_TRUE(query.boolean("all"));
  EXPECT_FALSE(query.boolean("size"));
  EXPECT_FALSE(query.boolean("flag"));
  EXPECT_TRUE(query.boolean("absent", true));
  EXPECT_EQ(query.integer("t").value(), 5);
  EXPECT_EQ(query.integer("absent").value(), std::nullopt);
  EXPECT_EQ(query.integer("bad").error().message(), "strconv.Atoi: parsing \"x\": invalid syntax");
  EXPECT_EQ(query.get("name"), "a b c");
  EXPECT_EQ(query.all("t"), (List{"5", "6"}));
  EXPECT_FALSE(query.time("bad").ok());
  EXPECT_EQ(query.time("absent").value(), std::nullopt);
}

TEST(QueryTest, TerminalSize) {
  EXPECT_EQ(size_of(Query::parse("h=24&w=80"))->columns, 80);
  EXPECT_EQ(size_of(Query::parse("h=a&w=80")).error().message(),
            "invalid resize height \"a\": invalid syntax");
  EXPECT_FALSE(size_of(Query::parse("h=24&w=70000")).ok());
}

TEST(BuildRequestTest, ReadsParameters) {
  const auto request =
      build_request(Query::parse("t=a:1&t=b&dockerfile=D&buildargs=%7B%22A%22%3A%221%22%2C%22B%22%3Anull%7D&"
                                 "labels=%7B%22x%22%3A%22y%22%7D&nocache=1&q=1&rm=1&target=s"))
          .value();
  EXPECT_EQ(request.tags, (List{"a:1", "b"}));
  EXPECT_EQ(request.dockerfile, "D");
  EXPECT_EQ(request.build_arguments.at("A"), "1");
  EXPECT_EQ(request.build_arguments.at("B"), std::nullopt);
  EXPECT_EQ(request.labels.at("x"), "y");
  EXPECT_TRUE(request.no_cache && request.quiet);
  EXPECT_EQ(build_request(Query::parse("version=2")).error().kind(), Kind::Unsupported);
  for (const auto* text :
       {"t=Bad%20tag", "buildargs=5", "buildargs=%7B", "buildargs=%7B%22a%22%3A5%7D", "memory=x"})
    EXPECT_EQ(build_request(Query::parse(text)).error().kind(), Kind::InvalidArgument) << text;
}

TEST(StatusTest, KindsHaveStatuses) {
  EXPECT_EQ(http_status(Kind::NotFound), 404);
  EXPECT_EQ(http_status(Kind::NotModified), 304);
  EXPECT_EQ(http_status(Kind::Unsupported), 501);
}

}  // namespace
}  // namespace skiff::api
