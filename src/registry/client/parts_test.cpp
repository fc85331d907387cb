#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "registry/client/certificates.h"
#include "registry/client/challenge.h"
#include "registry/client/endpoint.h"
#include "registry/client/refusal.h"
#include "registry/client/urls.h"

namespace skiff::registry {
namespace {

namespace fs = std::filesystem;

Settings plain() {
  Settings settings;
  settings.certificate_directories.clear();
  return settings;
}

std::vector<std::string> urls(std::string_view domain, Purpose purpose, const Settings& settings) {
  std::vector<std::string> found;
  const auto ways = *endpoints(domain, purpose, settings);
  for (const auto& way : ways) found.push_back(way.url);
  return found;
}

TEST(Endpoints, DockerHubAndItsMirrors) {
  Settings settings = plain();
  settings.mirrors = {"https://mirror.example/"};
  using List = std::vector<std::string>;
  EXPECT_EQ(urls("docker.io", Purpose::Pull, settings),
            (List{"https://mirror.example", "https://registry-1.docker.io"}));
  EXPECT_EQ(urls("docker.io", Purpose::Push, settings), (List{"https://registry-1.docker.io"}));
  EXPECT_EQ(urls("192.0.2.1:5000", Purpose::Pull, settings), (List{"https://192.0.2.1:5000"}));
}

TEST(Endpoints, EveryRegistryMayHaveMirrors) {
  Settings settings = plain();
  settings.mirrors = {"quay.io=https://one.example/", "https://hub.example/",
                      "quay.io=https://two.example/a/"};
  using List = std::vector<std::string>;
  EXPECT_EQ(urls("quay.io", Purpose::Pull, settings),
            (List{"https://one.example", "https://two.example/a", "https://quay.io"}));
  EXPECT_EQ(urls("quay.io", Purpose::Push, settings), (List{"https://quay.io"}));
  EXPECT_EQ(urls("docker.io", Purpose::Pull, settings),
            (List{"https://hub.example", "https://registry-1.docker.io"}));
  EXPECT_EQ(urls("ghcr.io", Purpose::Pull, settings), (List{"https://ghcr.io"}));
  EXPECT_EQ(endpoints("quay.io", Purpose::Pull, settings)->front().registry, "quay.io");
}

TEST(Endpoints, InsecureOnesMaySpeakPlainHttp) {
  Settings settings = plain();
  settings.insecure = {"192.0.2.7:5000", "198.51.100.0/24"};
  for (const char* domain :
       {"127.0.0.1:5000", "127.9.9.9", "localhost:5000", "[::1]:5000", "192.0.2.7:5000", "198.51.100.9"})
    EXPECT_TRUE(is_insecure(domain, settings)) << domain;
  for (const char* domain : {"192.0.2.7", "192.0.2.7:5001", "198.51.101.9", "128.0.0.1"})
    EXPECT_FALSE(is_insecure(domain, settings)) << domain;
  const auto ways = *endpoints("192.0.2.7:5000", Purpose::Pull, settings);
  ASSERT_EQ(ways.size(), 2U);
  EXPECT_TRUE(ways[0].trust.anybody);
  EXPECT_EQ(ways[1].url, "http://192.0.2.7:5000");
}

TEST(Endpoints, SettingsAreChecked) {
  EXPECT_EQ(*check_mirror("https://mirror.example"), "https://mirror.example/");
  EXPECT_EQ(*check_mirror("quay.io=https://mirror.example/p"), "quay.io=https://mirror.example/p/");
  EXPECT_EQ(*check_mirror("localhost:5000=http://127.0.0.1:1"), "localhost:5000=http://127.0.0.1:1/");
  EXPECT_EQ(*check_mirror("index.docker.io=https://m"), "docker.io=https://m/");
  for (const char* bad :
       {"mirror.example", "ftp://x", "https://", "https://u:p@x", "https://x/?a", "", "=https://x",
        "quay=https://x", "quay.io=x", "quay.io/a=https://x", "a b.c=https://x"})
    EXPECT_FALSE(check_mirror(bad).ok()) << bad;
  EXPECT_EQ(*check_insecure("host:5000"), "host:5000");
  for (const char* bad : {"http://x", "", "-x"}) EXPECT_FALSE(check_insecure(bad).ok()) << bad;
}

TEST(Endpoints, AServerAddressNamesARegistry) {
  EXPECT_EQ(registry_of("https://index.docker.io/v1/"), "docker.io");
  EXPECT_EQ(registry_of(""), "docker.io");
  EXPECT_EQ(registry_of("localhost:5000"), "localhost:5000");
  EXPECT_EQ(registry_of("https://registry.example/v2/"), "registry.example");
}

TEST(Certificates, AreFoundByHost) {
  std::string root = (fs::temp_directory_path() / "skiff-certs-XXXXXX").string();
  ASSERT_NE(mkdtemp(root.data()), nullptr);
  Settings settings = plain();
  settings.certificate_directories = {root, root + "/none"};
  EXPECT_EQ(*trust_for("host:5000", settings), http::WebTrust());
  fs::create_directories(root + "/host:5000");
  std::ofstream(root + "/host:5000/ca.crt") << "authority";
  std::ofstream(root + "/host:5000/client.cert") << "certificate";
  EXPECT_EQ(trust_for("host:5000", settings).error().message(),
            "missing key client.key for client certificate client.cert. CA certificates must use the "
            "extension .crt");
  std::ofstream(root + "/host:5000/client.key") << "key";
  const auto trust = *trust_for("host:5000", settings);
  EXPECT_EQ(trust.authorities, "authority\n");
  using Identities = std::vector<http::WebIdentity>;
  const http::WebIdentity client{root + "/host:5000/client.cert", root + "/host:5000/client.key"};
  EXPECT_EQ(trust.identities, Identities{client});
  std::ofstream(root + "/host:5000/a.cert") << "certificate";
  std::ofstream(root + "/host:5000/a.key") << "key";
  const http::WebIdentity other{root + "/host:5000/a.cert", root + "/host:5000/a.key"};
  EXPECT_EQ(trust_for("host:5000", settings)->identities, (Identities{other, client}));
  fs::remove(root + "/host:5000/client.cert");
  EXPECT_EQ(trust_for("host:5000", settings).error().message(),
            "missing client certificate client.cert for key client.key");
  fs::remove_all(root);
}

TEST(Challenges, AreRead) {
  http::Fields fields;
  fields.add("WWW-Authenticate",
             R"(Bearer realm="https://auth.example/token",service="a, \"b\"" , scope=x, Basic realm="y")");
  fields.add("www-authenticate", "Negotiate");
  fields.add("Other", "Digest x=y");
  const auto challenges = parse_challenges(fields);
  ASSERT_EQ(challenges.size(), 3U);
  EXPECT_EQ(challenges[0].scheme, "bearer");
  EXPECT_EQ(challenges[0].parameters.at("realm"), "https://auth.example/token");
  EXPECT_EQ(challenges[0].parameters.at("service"), "a, \"b\"");
  EXPECT_EQ(challenges[0].parameters.at("scope"), "x");
  EXPECT_EQ(challenges[1].scheme, "basic");
  EXPECT_EQ(challenges[2].scheme, "negotiate");
  for (const char* bad : {"", ",,,", "=", "\"", "Bearer realm=\"open", "a=b=c"}) {
    http::Fields odd;
    odd.add("WWW-Authenticate", bad);
    (void)parse_challenges(odd);
  }
}

TEST(Urls, AreJoined) {
  const std::string base = "https://host:5000/v2/x/blobs/uploads/?a=b";
  EXPECT_EQ(join_url(base, "http://other/y"), "http://other/y");
  EXPECT_EQ(join_url(base, "/v2/y?z"), "https://host:5000/v2/y?z");
  EXPECT_EQ(join_url(base, "y"), "https://host:5000/v2/x/blobs/uploads/y");
  EXPECT_EQ(join_url(base, "?c=d"), "https://host:5000/v2/x/blobs/uploads/?c=d");
  EXPECT_EQ(join_url(base, "//other/y"), "https://other/y");
  EXPECT_EQ(join_url("https://host", "y"), "https://host/y");
  EXPECT_EQ(join_url(base, "/back?to=https://host"), "https://host:5000/back?to=https://host");
  EXPECT_TRUE(same_origin("https://Host/x", "https://host:443/y"));
  EXPECT_FALSE(same_origin("https://host", "http://host"));
  EXPECT_FALSE(same_origin("https://host:1", "https://host:2"));
  EXPECT_FALSE(same_origin("https://host", "https://host.example"));
  EXPECT_FALSE(same_origin("", ""));
  EXPECT_EQ(with_query("u?a", "b"), "u?a&b");
  EXPECT_EQ(with_query("u", "b"), "u?b");
}

http::WebResponse response(int status, std::string reason, std::string body) {
  http::WebResponse made;
  made.status = status;
  made.reason = std::move(reason);
  made.body = std::move(body);
  return made;
}

TEST(Refusals, AreWordedAsDockerWordsThem) {
  const auto error = refusal(response(
      403, "Forbidden",
      R"({"errors":[{"code":"DENIED","message":"requested access to the resource is denied","detail":[]}]})"));
  EXPECT_EQ(error.message(), "denied: requested access to the resource is denied");
  EXPECT_EQ(error.kind(), Kind::Forbidden);
  const auto reference = *spec::Reference::parse("x:v1");
  EXPECT_EQ(
      pull_error(error, reference).message(),
      "pull access denied for x, repository does not exist or may require 'docker login': denied: requested "
      "access to the resource is denied");
  EXPECT_EQ(pull_error(error, reference).kind(), Kind::NotFound);
  const auto unknown = refusal(
      response(404, "Not Found", R"({"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]})"));
  EXPECT_EQ(pull_error(unknown, reference).message(),
            "manifest for x:v1 not found: manifest unknown: manifest unknown");
  EXPECT_EQ(refusal(response(401, "Unauthorized", "")).message(), "unauthorized: authentication required");
  EXPECT_TRUE(is_unauthorized(refusal(response(401, "Unauthorized", ""))));
  EXPECT_TRUE(is_too_many_requests(refusal(response(429, "Too Many Requests", ""))));
  EXPECT_FALSE(is_too_many_requests(refusal(response(503, "Service Unavailable", ""))));
  EXPECT_EQ(refusal(response(401, "Unauthorized", R"({"details":"wrong password"})")).message(),
            "unauthorized: wrong password");
  EXPECT_EQ(refusal(response(502, "Bad Gateway", "<html>")).message(),
            "received unexpected HTTP status: 502 Bad Gateway");
  EXPECT_EQ(refusal(response(403, "Forbidden", "over quota\n")).message(), "denied: over quota");
  EXPECT_EQ(refusal(response(403, "Forbidden", "<html>")).message(),
            "denied: requested access to the resource is denied");
  EXPECT_EQ(refusal(response(418, "I'm a teapot", "short")).message(),
            "error parsing HTTP 418 response body: \"short\"");
}

}  // namespace
}  // namespace skiff::registry
