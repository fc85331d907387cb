#include "registry/server/registry.h"

#include <signal.h>

#include <gtest/gtest.h>

#include <thread>

#include "base/ids.h"
#include "http/address.h"
#include "http/client.h"
#include "http/server.h"
#include "registry/server/memory_storage_test.h"

namespace skiff::registry::server {
namespace {

using spec::Digest;

/// Another registry: one repository "app" with whatever the test puts there. Counts who asks.
class FakeUpstream final : public Upstream {
 public:
  Result<Digest> resolve(const std::string& name, const std::string& tag, const std::stop_token&) override {
    ++asked;
    if (down) return Error(Kind::Unavailable, "nobody answers");
    if (name != "app" || !tags_.contains(tag)) return fail(Kind::NotFound, "{}:{}", name, tag);
    return tags_.at(tag);
  }
  Result<Manifest> manifest(const std::string&, const Digest& digest, const std::stop_token&) override {
    ++asked;
    if (down) return Error(Kind::Unavailable, "nobody answers");
    if (!content_.contains(digest)) return fail(Kind::NotFound, "{}", digest.to_string());
    return Manifest{digest, std::string(spec::oci::kMediaTypeManifest), content_.at(digest)};
  }
  Result<void> blob(const std::string&, const Digest& digest, std::uint64_t offset, const ByteSink& sink,
                    const std::stop_token& stop) override {
    ++asked;
    if (down) return Error(Kind::Unavailable, "nobody answers");
    if (!content_.contains(digest)) return fail(Kind::NotFound, "{}", digest.to_string());
    const std::string_view rest = std::string_view(content_.at(digest)).substr(offset);
    const std::size_t half = rest.size() / 2;
    TRY(sink(rest.substr(0, half)));
    while (hold && !stop.stop_requested()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (breaks > 0) return --breaks, Error(Kind::Unavailable, "the connection broke");
    return sink(damaged ? std::string(rest.size() - half, '!') : rest.substr(half));
  }
  Result<std::vector<std::string>> tags(const std::string&, const std::stop_token&) override {
    if (down) return Error(Kind::Unavailable, "nobody answers");
    return std::vector<std::string>{"b", "a"};
  }

  Digest add(const std::string& bytes) { return content_[Digest::of(bytes)] = bytes, Digest::of(bytes); }
  Digest add_image(const std::string& tag, const std::string& layer) {
    const auto one = [](const Digest& digest, std::size_t size) {
      return fmt::format(R"({{"mediaType":"x/y","digest":"{}","size":{}}})", digest.to_string(), size);
    };
    const auto config = add("{}");
    return tags_[tag] = add(fmt::format(R"({{"schemaVersion":2,"config":{},"layers":[{}]}})", one(config, 2),
                                        one(add(layer), layer.size())));
  }

  std::atomic<int> asked = 0;
  std::atomic<bool> down = false;
  std::atomic<bool> hold = false;
  std::atomic<bool> damaged = false;
  std::atomic<int> breaks = 0;

 private:
  std::map<std::string, Digest> tags_;
  std::map<Digest, std::string> content_;
};

class RegistryTest : public testing::Test {
 protected:
  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN);
    path_ = testing::TempDir() + "skiff-registry-" + random_hex(6) + ".sock";
  }
  void TearDown() override {
    server_.reset();
    registry_.reset();
    ::unlink(path_.c_str());
  }

  void serve(RegistrySettings settings) {
    registry_ = Registry::open(std::move(settings), std::make_unique<MemoryStorage>()).value();
    std::vector<sys::Fd> listeners;
    listeners.push_back(http::listen(address()).value());
    server_ = http::Server::start(std::move(listeners), [this](http::Exchange& http) {
                registry_->handle(http);
              }).value();
  }
  void serve_cache(std::chrono::seconds fresh = std::chrono::seconds(300)) {
    RegistrySettings settings;
    settings.caches.push_back({"up.example", upstream_, fresh});
    serve(std::move(settings));
  }

  http::Address address() const { return http::Address::parse("unix://" + path_).value(); }

  struct Answer {
    int status = 0;
    std::string body;
    http::Fields fields;
    bool whole = true;
  };
  Answer request(const std::string& method, const std::string& target, const http::Fields& fields = {},
                 const std::string& body = {}) {
    http::Client client(address());
    http::ClientRequest request;
    request.method = method;
    request.target = target;
    request.fields = fields;
    request.body = body;
    auto response = client.send(std::move(request)).value();
    auto text = response.read_all();
    return {response.status, text.ok() ? *text : "", response.fields, text.ok()};
  }
  Answer get(const std::string& target) { return request("GET", target); }
  static std::string blob(const Digest& digest) { return "/v2/up.example/app/blobs/" + digest.to_string(); }

  std::string path_;
  const std::shared_ptr<FakeUpstream> upstream_ = std::make_shared<FakeUpstream>();
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<http::Server> server_;
};

TEST_F(RegistryTest, WhatIsNoEndpointIsNotFoundAndWhatIsNoMethodIsNotAllowed) {
  serve({});
  EXPECT_EQ(get("/v2/").status, 200);
  EXPECT_EQ(get("/").status, 404);
  EXPECT_EQ(get("/v2/a/b/c").status, 404);
  const auto refused = request("POST", "/v2/a/manifests/x");
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.fields.get("Allow"), "GET, HEAD, PUT, DELETE");
  EXPECT_EQ(get("/v2/A/tags/list").status, 400);
  EXPECT_EQ(get("/healthz").body, "ok\n");
}

TEST_F(RegistryTest, ObjectsThatAreNoFilesAreSentInPart) {
  serve({});
  const auto digest = Digest::of("0123456789");
  ASSERT_EQ(request("POST", "/v2/a/blobs/uploads/?digest=" + digest.to_string(), {}, "0123456789").status,
            201);
  http::Fields range;
  range.add("Range", "bytes=2-4");
  const auto part = request("GET", "/v2/a/blobs/" + digest.to_string(), range);
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "234");
  range.add("If-Range", "\"other\"");
  EXPECT_EQ(request("GET", "/v2/a/blobs/" + digest.to_string(), range).body, "0123456789");
}

TEST_F(RegistryTest, ACacheFetchesWhatIsAskedForAndKeepsIt) {
  const auto image = upstream_->add_image("v1", "layer");
  serve_cache();
  const auto manifest = get("/v2/up.example/app/manifests/v1");
  EXPECT_EQ(manifest.status, 200);
  EXPECT_EQ(manifest.fields.get("Docker-Content-Digest"), image.to_string());
  EXPECT_EQ(get(blob(Digest::of("layer"))).body, "layer");
  const int asked = upstream_->asked;
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(get("/v2/up.example/app/manifests/v1").status, 200);
  EXPECT_EQ(get("/v2/app/manifests/" + image.to_string() + "?ns=up.example").status, 200);
  EXPECT_EQ(get(blob(Digest::of("layer"))).body, "layer");
  EXPECT_EQ(upstream_->asked, asked);
  EXPECT_EQ(get("/v2/up.example/app/manifests/nosuch").status, 404);
  EXPECT_EQ(get(blob(Digest::of("nosuch"))).status, 404);
  EXPECT_EQ(get("/v2/app/manifests/v1").status, 404);
  EXPECT_EQ(get("/v2/up.example/app/tags/list").body,
            "{\"name\":\"up.example/app\",\"tags\":[\"a\",\"b\"]}\n");
}

TEST_F(RegistryTest, ManyClientsOfACacheAreOneRequestToTheUpstream) {
  const std::string layer(300000, 'x');
  upstream_->add_image("v1", layer);
  serve_cache();
  ASSERT_EQ(get("/v2/up.example/app/manifests/v1").status, 200);
  upstream_->asked = 0;
  upstream_->hold = true;
  std::vector<std::thread> clients;
  std::atomic<int> good = 0;
  for (int i = 0; i < 16; ++i)
    clients.emplace_back([&] { good += get(blob(Digest::of(layer))).body == layer ? 1 : 0; });
  // All of them are served while the upstream holds the second half back.
  while (server_->connections() < 16) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  upstream_->hold = false;
  for (auto& client : clients) client.join();
  EXPECT_EQ(good, 16);
  EXPECT_EQ(upstream_->asked, 1);
}

TEST_F(RegistryTest, ACacheGoesOnWhereTheUpstreamBrokeOff) {
  const std::string layer(300000, 'x');
  upstream_->add_image("v1", layer);
  upstream_->breaks = 2;
  serve_cache();
  EXPECT_EQ(get(blob(Digest::of(layer))).body, layer);
}

TEST_F(RegistryTest, BytesThatAreNotWhatTheirDigestSaysAreNotKeptAndDoNotPassForWhole) {
  const std::string layer(300000, 'x');
  upstream_->add_image("v1", layer);
  serve_cache();
  ASSERT_EQ(get("/v2/up.example/app/manifests/v1").status, 200);
  upstream_->damaged = true;
  const auto answer = get(blob(Digest::of(layer)));
  EXPECT_TRUE(answer.status != 200 || !answer.whole);
  upstream_->damaged = false;
  EXPECT_EQ(get(blob(Digest::of(layer))).body, layer);
}

TEST_F(RegistryTest, ACacheServesWhatItHasWhenTheUpstreamIsDown) {
  const auto image = upstream_->add_image("v1", "layer");
  serve_cache(std::chrono::seconds(0));
  ASSERT_EQ(get("/v2/up.example/app/manifests/v1").status, 200);
  upstream_->down = true;
  EXPECT_EQ(get("/v2/up.example/app/manifests/v1").fields.get("Docker-Content-Digest"), image.to_string());
  EXPECT_EQ(get(blob(Digest::of("layer"))).status, 503);
  EXPECT_EQ(get("/v2/up.example/app/manifests/v2").status, 503);
  EXPECT_EQ(get("/v2/up.example/app/tags/list").body, "{\"name\":\"up.example/app\",\"tags\":[\"v1\"]}\n");
}

TEST_F(RegistryTest, ATagThatHasMovedUpstreamMovesHere) {
  upstream_->add_image("v1", "old");
  serve_cache(std::chrono::seconds(0));
  ASSERT_EQ(get("/v2/up.example/app/manifests/v1").status, 200);
  const auto moved = upstream_->add_image("v1", "new");
  EXPECT_EQ(get("/v2/up.example/app/manifests/v1").fields.get("Docker-Content-Digest"), moved.to_string());
}

TEST_F(RegistryTest, NobodyPushesIntoACopy) {
  serve_cache();
  EXPECT_EQ(request("POST", "/v2/up.example/app/blobs/uploads/").status, 405);
  EXPECT_EQ(request("POST", "/v2/own/blobs/uploads/").status, 202);
}

}  // namespace
}  // namespace skiff::registry::server
