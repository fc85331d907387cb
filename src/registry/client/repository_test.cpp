#include "registry/client/repository.h"

#include <gtest/gtest.h>

#include "registry/testing/fake_registry.h"

namespace skiff::registry {
namespace {

using testing::FakeRegistry;

class RepositoryTest : public ::testing::Test {
 protected:
  Result<std::shared_ptr<Repository>> connect(Credentials credentials = {}, Purpose purpose = Purpose::Pull) {
    return Repository::connect(*spec::Reference::parse(registry_.name("app")), purpose, credentials,
                               FakeRegistry::settings(), {});
  }
  std::shared_ptr<Repository> repository(Credentials credentials = {}, Purpose purpose = Purpose::Pull) {
    auto connected = connect(std::move(credentials), purpose);
    EXPECT_TRUE(connected.ok()) << connected.error().message();
    return *connected;
  }
  std::string url(std::string_view rest) {
    return fmt::format("http://{}/v2/app/{}", registry_.host(), rest);
  }
  static Result<std::string> read(Repository& from, const spec::Digest& digest, std::string known = "") {
    const std::uint64_t begin = known.size();
    TRY(from.read_blob(digest, {begin, {}, {}, {}},
                       [&](std::uint64_t at, std::string_view piece) -> Result<void> {
                         known.resize(at);
                         known += piece;
                         return {};
                       },
                       {}));
    return known;
  }

  FakeRegistry registry_;
};

TEST_F(RepositoryTest, ALoopbackRegistryMaySpeakPlainHttp) {
  EXPECT_EQ(repository()->endpoint().url, "http://" + registry_.host());
}

TEST_F(RepositoryTest, AManifestIsFoundByTagAndByDigest) {
  const auto digest = registry_.put_manifest("app", "v1", "{}", spec::oci::kMediaTypeManifest);
  const auto app = repository();
  EXPECT_EQ(app->resolve("v1", {})->digest, digest);
  EXPECT_EQ(app->manifest(digest.to_string(), {})->bytes, "{}");
  const auto missing = app->resolve("v2", {});
  EXPECT_EQ(missing.error().kind(), Kind::NotFound);
  EXPECT_EQ(missing.error().message(), "manifest unknown: said manifest_unknown");
}

TEST_F(RepositoryTest, AManifestThatIsAnotherIsRefused) {
  registry_.intercept = [](http::Exchange& http) {
    if (http.path().find("/manifests/") == std::string_view::npos) return false;
    (void)http.send(200, "{ }", spec::oci::kMediaTypeManifest);
    return true;
  };
  const auto digest = spec::Digest::of("{}").to_string();
  const auto found = repository()->manifest(digest, {});
  EXPECT_EQ(found.error().kind(), Kind::DataLoss);
  EXPECT_EQ(found.error().message(), "manifest verification failed for digest " + digest);
}

TEST_F(RepositoryTest, ADigestDoesNotLeadToAnother) {
  const auto asked = registry_.put_manifest("app", "v1", "{}", spec::oci::kMediaTypeManifest).to_string();
  registry_.intercept = [](http::Exchange& http) {
    if (http.method() != "HEAD") return false;
    http.answer_fields().add("Docker-Content-Digest", spec::Digest::of("other").to_string());
    (void)http.send_head(200, 5, spec::oci::kMediaTypeManifest);
    return true;
  };
  const auto led = repository()->resolve(asked, {});
  EXPECT_EQ(led.error().kind(), Kind::DataLoss);
  EXPECT_EQ(led.error().message(), "manifest verification failed for digest " + asked);
  EXPECT_EQ(repository()->resolve("v1", {})->digest, spec::Digest::of("other"));
}

TEST_F(RepositoryTest, BasicAuthentication) {
  registry_.auth = FakeRegistry::Auth::Basic;
  registry_.put_manifest("app", "v1", "{}", spec::oci::kMediaTypeManifest);
  EXPECT_EQ(repository()->resolve("v1", {}).error().message(),
            fmt::format("Head \"{}\": no basic auth credentials", url("manifests/v1")));
  EXPECT_EQ(repository({}, Purpose::Push)->resolve("v1", {}).error().message(), "no basic auth credentials");
  EXPECT_EQ(repository({"user", "wrong", "", ""})->resolve("v1", {}).error().message(),
            "unauthorized: said unauthorized");
  EXPECT_TRUE(repository({"user", "password", "", ""})->resolve("v1", {}).ok());
}

TEST_F(RepositoryTest, TokensAreFetchedOnceAndRenewed) {
  registry_.auth = FakeRegistry::Auth::Token;
  const auto digest = registry_.put_blob("bytes");
  registry_.put_manifest("app", "v1", "{}", spec::oci::kMediaTypeManifest);
  const auto app = repository({"user", "password", "", ""});
  ASSERT_TRUE(app->resolve("v1", {}).ok());
  EXPECT_EQ(*read(*app, digest), "bytes");
  EXPECT_EQ(registry_.count("GET /token?service=test&scope=repository%3Aapp%3Apull&account=user"), 1U);
  // A token that is not taken any more is replaced.
  bool refused = false;
  registry_.intercept = [&](http::Exchange& http) {
    if (refused || http.path() == "/token") return false;
    refused = true;
    http.answer_fields().add(
        "WWW-Authenticate",
        fmt::format(R"(Bearer realm="http://{}/token",service="test")", registry_.host()));
    (void)http.send(401, "");
    return true;
  };
  EXPECT_EQ(*read(*app, digest), "bytes");
  EXPECT_EQ(registry_.count("/token"), 2U);
}

TEST_F(RepositoryTest, ARedirectDoesNotTakeTheCredentialsElsewhere) {
  FakeRegistry store;
  const auto digest = store.put_blob("bytes");
  std::string seen = "nothing";
  store.intercept = [&](http::Exchange& http) {
    seen = http.fields().get("Authorization");
    return false;
  };
  registry_.auth = FakeRegistry::Auth::Basic;
  registry_.intercept = [&](http::Exchange& http) {
    if (http.path().find("/blobs/") == std::string_view::npos) return false;
    http.answer_fields().add("Location", fmt::format("http://{}{}", store.host(), http.path()));
    (void)http.send(307, "gone");
    return true;
  };
  EXPECT_EQ(*read(*repository({"user", "password", "", ""}), digest), "bytes");
  EXPECT_EQ(seen, "");
}

TEST_F(RepositoryTest, AnotherServerDoesNotSayWhoLearnsTheCredentials) {
  FakeRegistry store;
  const auto digest = registry_.put_blob("bytes");
  registry_.auth = FakeRegistry::Auth::Basic;
  store.auth = FakeRegistry::Auth::Token;  // its challenge names a token server of its own
  registry_.intercept = [&](http::Exchange& http) {
    if (http.path().find("/blobs/") == std::string_view::npos) return false;
    http.answer_fields().add("Location", fmt::format("http://{}{}", store.host(), http.path()));
    (void)http.send(307, "gone");
    return true;
  };
  const auto app = repository({"user", "password", "", ""});
  EXPECT_FALSE(read(*app, digest).ok());
  EXPECT_EQ(store.count("/token"), 0U);
  EXPECT_EQ(store.count("GET"), 1U);
  // And what the registry itself wanted still holds.
  registry_.intercept = {};
  EXPECT_EQ(*read(*app, digest), "bytes");
}

TEST_F(RepositoryTest, RedirectsEnd) {
  registry_.intercept = [&](http::Exchange& http) {
    if (http.path() == "/v2/") return false;
    http.answer_fields().add("Location", http.target());
    (void)http.send(302, "");
    return true;
  };
  EXPECT_NE(repository()->manifest("v1", {}).error().message().find("stopped after 10 redirects"),
            std::string::npos);
}

TEST_F(RepositoryTest, WhoIsBusyIsAskedAgain) {
  registry_.put_manifest("app", "v1", "{}", spec::oci::kMediaTypeManifest);
  int refusals = 3;
  registry_.intercept = [&](http::Exchange& http) {
    if (http.path() == "/v2/" || refusals-- <= 0) return false;
    http.answer_fields().add("Retry-After", "0");
    (void)http.send(refusals % 2 == 0 ? 429 : 503, "");
    return true;
  };
  EXPECT_TRUE(repository()->manifest("v1", {}).ok());
  refusals = 1000;
  const auto busy = repository()->manifest("v1", {});
  EXPECT_EQ(registry_.count("GET /v2/app/manifests/v1"), 4U + 5U);
  EXPECT_FALSE(busy.ok());
}

TEST_F(RepositoryTest, WhoWantsALongRestIsNotWaitedFor) {
  registry_.intercept = [&](http::Exchange& http) {
    if (http.path() == "/v2/") return false;
    http.answer_fields().add("Retry-After", "3600");
    (void)http.send(429, R"({"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]})");
    return true;
  };
  const auto busy = repository()->manifest("v1", {});
  EXPECT_EQ(busy.error().kind(), Kind::Exhausted);
  EXPECT_EQ(busy.error().message(), "toomanyrequests: slow down");
}

TEST_F(RepositoryTest, ABlobIsReadFromWhereItBrokeOff) {
  const auto digest = registry_.put_blob("0123456789");
  const auto app = repository();
  EXPECT_EQ(*read(*app, digest, "01234"), "0123456789");
  EXPECT_EQ(registry_.count("bytes=5-"), 1U);
  registry_.ranges = false;
  EXPECT_EQ(*read(*app, digest, "01234"), "0123456789");
  EXPECT_EQ(read(*app, spec::Digest::of("none")).error().message(), "blob unknown: said blob_unknown");
}

TEST_F(RepositoryTest, AConfigIsVerified) {
  spec::oci::Descriptor descriptor;
  descriptor.digest = registry_.put_blob("{}");
  descriptor.size = 2;
  EXPECT_EQ(*repository()->read_blob(descriptor, {}), "{}");
  registry_.intercept = [&](http::Exchange& http) {
    if (http.path() == "/v2/") return false;
    (void)http.send(200, "[]");
    return true;
  };
  EXPECT_EQ(repository()->read_blob(descriptor, {}).error().kind(), Kind::DataLoss);
}

TEST_F(RepositoryTest, TagsComeInPages) {
  for (const char* tag : {"a", "b", "c", "d", "e"})
    registry_.put_manifest("app", tag, "{}", spec::oci::kMediaTypeManifest);
  registry_.page = 2;
  EXPECT_EQ(*repository()->tags({}), (std::vector<std::string>{"a", "b", "c", "d", "e"}));
  EXPECT_EQ(registry_.count("/tags/list"), 3U);
}

TEST_F(RepositoryTest, ABlobIsUploadedOrMounted) {
  const auto app = repository({}, Purpose::Push);
  const std::string bytes(100'000, 'x');
  const auto digest = spec::Digest::of(bytes);
  for (const bool sized : {true, false}) {
    std::size_t at = 0;
    Upload upload;
    upload.source = [&](char* buffer, std::size_t size) -> Result<std::size_t> {
      const auto count = bytes.copy(buffer, size, at);
      at += count;
      return count;
    };
    if (sized) upload.size = bytes.size();
    upload.digest = [&] { return digest; };
    const auto uploaded = app->upload(std::move(upload), {});
    ASSERT_TRUE(uploaded.ok()) << uploaded.error().message();
    EXPECT_EQ(registry_.blob(digest), bytes);
  }
  EXPECT_EQ(**app->blob_size(digest, {}), bytes.size());
  EXPECT_FALSE(app->blob_size(spec::Digest::of("none"), {})->has_value());
  EXPECT_TRUE(*app->mount(digest, "other", {}));
  registry_.mounts = false;
  EXPECT_FALSE(*app->mount(digest, "other", {}));
  EXPECT_EQ(*app->put_manifest("v1", "application/x", "{}", {}), spec::Digest::of("{}"));
  EXPECT_EQ(registry_.manifest("app", "v1"), "{}");
}

TEST_F(RepositoryTest, ASourceThatFailsIsTheReason) {
  Upload upload;
  upload.source = [](char*, std::size_t) -> Result<std::size_t> { return Error(Kind::DataLoss, "no tar"); };
  upload.digest = [] { return spec::Digest(); };
  EXPECT_EQ(repository({}, Purpose::Push)->upload(std::move(upload), {}).error().message(), "no tar");
}

TEST_F(RepositoryTest, StopsAtOnce) {
  std::stop_source stop;
  const auto app = repository();
  registry_.intercept = [&](http::Exchange&) {
    stop.request_stop();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    return false;
  };
  EXPECT_EQ(app->manifest("v1", stop.get_token()).error().kind(), Kind::Cancelled);
}

TEST_F(RepositoryTest, Logins) {
  const Endpoint endpoint{"http://" + registry_.host(), {}, false};
  const Credentials good{"user", "password", "", ""};
  const Credentials bad{"user", "wrong", "", ""};
  EXPECT_TRUE(log_in(endpoint, bad, {}).ok());  // nobody asks
  registry_.auth = FakeRegistry::Auth::Basic;
  EXPECT_TRUE(log_in(endpoint, good, {}).ok());
  EXPECT_EQ(log_in(endpoint, bad, {}).error().message(),
            fmt::format("login attempt to {}/v2/ failed with status: 401 Unauthorized", endpoint.url));
  registry_.auth = FakeRegistry::Auth::Token;
  EXPECT_TRUE(log_in(endpoint, good, {}).ok());
  EXPECT_FALSE(log_in(endpoint, bad, {}).ok());
}

TEST(Connect, WhoIsNotThereIsNamedAsDockerNamesIt) {
  const auto connected = Repository::connect(*spec::Reference::parse("127.0.0.1:1/app"), Purpose::Pull, {},
                                             FakeRegistry::settings(), {});
  ASSERT_FALSE(connected.ok());
  EXPECT_EQ(connected.error().kind(), Kind::Unavailable);
  EXPECT_EQ(connected.error().message(),
            "Get \"http://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused");
  const auto lost = Repository::connect(*spec::Reference::parse("nosuch.invalid/app"), Purpose::Pull, {},
                                        FakeRegistry::settings(), {});
  EXPECT_EQ(lost.error().message(),
            "Get \"https://nosuch.invalid/v2/\": dial tcp: lookup nosuch.invalid: no such host");
}

}  // namespace
}  // namespace skiff::registry
