#include <fstream>

#include "image/transfer_test.h"

namespace skiff::image {
namespace {

class PushTest : public TransferTest {
 protected:
  Image make(const std::string& name, const std::vector<Tar>& tars) {
    spec::oci::Image config;
    config.platform = spec::Platform::host();
    std::vector<Layer> layers;
    for (const auto& tar : tars) {
      std::ofstream(base_ + "/layer.tar", std::ios::binary) << tar.bytes;
      const std::string parent = layers.empty() ? "" : layers.back().snapshot;
      layers.push_back(*store_->import_layer(*sys::open_file(base_ + "/layer.tar", O_RDONLY), parent));
      config.rootfs.diff_ids.push_back(tar.diff_id);
    }
    const auto image = *store_->create(config, layers, "");
    tag(image, name);
    return *store_->resolve(registry_.name(name));
  }
  void tag(const Image& image, const std::string& name) {
    ASSERT_TRUE(store_->tag(image.id, *spec::Reference::parse(registry_.name(name))).ok());
  }
  Result<void> push(const std::string& name, Words& words,
                    std::optional<archive::Compression> compression = {}) {
    return pusher_->push({*spec::Reference::parse(registry_.name(name)), {}, {}, compression}, words, {});
  }
  static std::string id(const Tar& tar) { return std::string(tar.diff_id.short_hex()); }
};

TEST_F(PushTest, AnImageIsSentOnceAndCanBePulled) {
  const Tar lower = tar_of("a", noise(200'000, 6));
  const Tar upper = tar_of("b", "two");
  const Image image = make("app:v1", {lower, upper});
  Words words;
  const auto pushed = push("app:v1", words);
  ASSERT_TRUE(pushed.ok()) << pushed.error().message();
  const std::string manifest = registry_.manifest("app", "v1");
  const auto digest = spec::Digest::of(manifest);
  EXPECT_EQ(words.lines().front(), fmt::format("The push refers to repository [{}]", registry_.name("app")));
  for (const auto& tar : {lower, upper})
    for (const char* word : {"Preparing", "Pushed"}) EXPECT_TRUE(words.said(id(tar) + ": " + word)) << word;
  EXPECT_TRUE(words.said(fmt::format("v1: digest: {} size: {}", digest.to_string(), manifest.size())));
  EXPECT_EQ(json::to_text(words.result),
            fmt::format(R"({{"Tag":"v1","Digest":"{}","Size":{}}})", digest.to_string(), manifest.size()));
  EXPECT_EQ(store_->resolve(registry_.name("app:v1"))->repo_digests,
            (std::vector<std::string>{registry_.name("app@") + digest.to_string()}));
  registry_.forget_requests();
  Words again;
  ASSERT_TRUE(push("app:v1", again).ok());
  EXPECT_TRUE(again.said(id(lower) + ": Layer already exists"));
  EXPECT_EQ(registry_.count("/blobs/uploads/"), 0U);
  EXPECT_EQ(registry_.manifest("app", "v1"), manifest);
  ASSERT_TRUE(store_->remove(image.id.to_string(), true, true, {}).ok());
  expect_nothing_left();
  ASSERT_TRUE(pull("app:v1", again).ok());
  EXPECT_EQ(store_->resolve(registry_.name("app:v1"))->id, image.id);
}

TEST_F(PushTest, ALayerOfAnotherRepositoryIsMounted) {
  const Tar layer = tar_of("a", "one");
  const Image image = make("app:v1", {layer});
  Words words;
  ASSERT_TRUE(push("app:v1", words).ok());
  tag(image, "other:v1");
  registry_.intercept = [&](http::Exchange& http) {
    if (http.method() != "HEAD" || http.path().find("/v2/other/blobs/") == std::string_view::npos)
      return false;
    (void)http.send(404, "");
    return true;
  };
  registry_.forget_requests();
  ASSERT_TRUE(push("other:v1", words).ok());
  EXPECT_TRUE(words.said(id(layer) + ": Mounted from app"));
  registry_.mounts = false;
  tag(image, "third:v1");
  ASSERT_TRUE(push("third:v1", words).ok());
}

TEST_F(PushTest, WhatIsNotHereCannotBePushed) {
  Words words;
  EXPECT_EQ(push("none:v1", words).error().message(),
            "An image does not exist locally with the tag: " + registry_.name("none"));
  make("app:v1", {tar_of("a", "one")});
  registry_.intercept = [&](http::Exchange& http) {
    if (http.path() == "/v2/") return false;
    (void)http.send(
        403, R"({"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]})");
    return true;
  };
  EXPECT_EQ(push("app:v1", words).error().message(), "denied: requested access to the resource is denied");
}

TEST_F(PushTest, AllTagsOfARepositoryArePushed) {
  make("app:v1", {tar_of("a", "one")});
  make("app:v2", {tar_of("a", "two")});
  Words words;
  ASSERT_TRUE(push("app", words).ok());
  EXPECT_NE(registry_.manifest("app", "v1"), "");
  EXPECT_NE(registry_.manifest("app", "v2"), "");
}

TEST_F(PushTest, LayersAreCompressedAsItIsAskedFor) {
  const Tar layer = tar_of("a", noise(200'000, 9));
  const Image image = make("app:v1", {layer});
  Words words;
  ASSERT_TRUE(push("app:v1", words).ok());
  ASSERT_TRUE(push("app:v1", words, archive::Compression::Zstd).ok());
  const auto manifest = *json::decode<spec::oci::Manifest>(registry_.manifest("app", "v1"));
  EXPECT_EQ(manifest.media_type, spec::oci::kMediaTypeManifest);
  EXPECT_EQ(manifest.config.media_type, spec::oci::kMediaTypeConfig);
  EXPECT_EQ(manifest.layers.at(0).media_type, spec::oci::kMediaTypeLayerZstd);
  registry_.forget_requests();
  Words again;
  ASSERT_TRUE(push("app:v1", again, archive::Compression::Zstd).ok());
  EXPECT_TRUE(again.said(id(layer) + ": Layer already exists"));
  ASSERT_TRUE(push("app:v1", again, archive::Compression::Gzip).ok());
  EXPECT_EQ(registry_.count("/blobs/uploads/"), 0U);
  EXPECT_EQ(json::decode<spec::oci::Manifest>(registry_.manifest("app", "v1"))->layers.at(0).media_type,
            spec::oci::kDockerLayerGzip);
  ASSERT_TRUE(push("app:v1", again, archive::Compression::Zstd).ok());
  ASSERT_TRUE(store_->remove(image.id.to_string(), true, true, {}).ok());
  ASSERT_TRUE(pull("app:v1", again).ok());
  EXPECT_EQ(store_->resolve(registry_.name("app:v1"))->id, image.id);
}

TEST_F(PushTest, AnUploadThatBreaksOffBeginsAnew) {
  make("app:v1", {tar_of("a", noise(200'000, 7))});
  bool cut = false;
  registry_.intercept = [&](http::Exchange& http) {
    if (cut || http.method() != "PATCH") return false;
    cut = true;
    char piece[1000];
    (void)http.read(piece, sizeof piece);
    http.abort();
    return true;
  };
  Words words;
  const auto pushed = push("app:v1", words);
  ASSERT_TRUE(pushed.ok()) << pushed.error().message();
  EXPECT_TRUE(cut);
}

TEST_F(PushTest, ConfigAndManifestAreSentAgainToo) {
  make("app:v1", {tar_of("a", "one")});
  int cuts = 0;
  registry_.intercept = [&](http::Exchange& http) {
    // Every second PUT: the one that ends the layer's upload, the config's, the manifest's.
    if (http.method() != "PUT" || ++cuts % 2 == 0) return false;
    http.abort();
    return true;
  };
  Words words;
  const auto pushed = push("app:v1", words);
  ASSERT_TRUE(pushed.ok()) << pushed.error().message();
  EXPECT_GE(cuts, 4);
  EXPECT_NE(registry_.manifest("app", "v1"), "");
  settings_.attempts = 1;
  open();
  make("app:v3", {tar_of("a", "three")});
  cuts = 0;
  EXPECT_FALSE(push("app:v3", words).ok());
}

}  // namespace
}  // namespace skiff::image
