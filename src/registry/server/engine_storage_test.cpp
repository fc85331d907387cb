#include "registry/server/engine_storage.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/ids.h"
#include "base/json.h"
#include "http/server.h"
#include "registry/server/repositories.h"
#include "spec/manifest.h"
#include "spec/served_image.h"

namespace skiff::registry::server {
namespace {

using spec::Digest;

/// An engine with images of one layer, on a unix socket.
class EngineStorageTest : public testing::Test {
 protected:
  void SetUp() override {
    address_.path = testing::TempDir() + "skiff-engine-" + random_hex(6) + ".sock";
    std::vector<sys::Fd> listeners;
    listeners.push_back(http::listen(address_).value());
    server_ =
        http::Server::start(std::move(listeners), [this](http::Exchange& http) { serve(http); }).value();
  }
  void TearDown() override {
    server_->stop(std::chrono::milliseconds(0));
    std::filesystem::remove(address_.path);
  }

  void serve(http::Exchange& http) {
    if (http.path() == "/skiff/registry/images") {
      json::Array images;
      for (const auto& image : images_) images.push_back(json::to_value(image));
      (void)http.send(200, json::to_text(images));
    } else if (http.path() == "/skiff/registry/blobs/" + Digest::of(layer_).to_string()) {
      (void)http.start(200, "application/octet-stream");
      (void)http.write(layer_);
      (void)http.finish();
    } else {
      (void)http.send(404, "{}");
    }
  }

  void add(std::vector<std::string> names) {
    const auto blob = [](std::string_view type, const std::string& bytes) {
      return json::Object{
          {"mediaType", type}, {"size", bytes.size()}, {"digest", Digest::of(bytes).to_string()}};
    };
    const json::Object manifest{{"schemaVersion", 2},
                                {"mediaType", spec::oci::kDockerManifest},
                                {"config", blob(spec::oci::kDockerConfig, "config")},
                                {"layers", json::Array{blob(spec::oci::kDockerLayer, layer_)}}};
    images_.push_back({std::move(names), json::to_text(manifest)});
  }

  http::Address address_;
  std::string layer_ = std::string(700'000, 'l') + "end";
  std::vector<spec::ServedImage> images_;
  std::unique_ptr<http::Server> server_;
};

TEST_F(EngineStorageTest, ImagesAreRepositories) {
  add({"busybox:latest", "busybox:1"});
  add({"ghcr.io/a/b:v1", "localhost:5000/x:v1", "busybox-x:v2"});
  const auto storage = open_engine_storage(address_).value();
  Repositories repositories(*storage, std::chrono::seconds(0));
  using List = std::vector<std::string>;
  EXPECT_EQ(repositories.names().value(), (List{"busybox", "busybox-x", "ghcr.io/a/b"}));
  EXPECT_EQ(repositories.tags("busybox").value(), (List{"1", "latest"}));
  EXPECT_EQ(repositories.tags("library/busybox").value(), (List{"1", "latest"}));
  EXPECT_TRUE(repositories.exists("library/busybox"));
  EXPECT_FALSE(repositories.exists("nosuch"));
  const auto digest = repositories.resolve("busybox", "1").value();
  EXPECT_EQ(digest, Digest::of(images_[0].manifest));
  const auto manifest = repositories.manifest("library/busybox", digest).value();
  EXPECT_EQ(manifest.bytes, images_[0].manifest);
  EXPECT_EQ(manifest.media_type, spec::oci::kDockerManifest);
  EXPECT_EQ(repositories.resolve("busybox", "2").error().kind(), Kind::NotFound);
  EXPECT_EQ(repositories.manifest("ghcr.io/a", digest).error().kind(), Kind::NotFound);
}

TEST_F(EngineStorageTest, BlobsComeFromTheEngineInPartToo) {
  add({"app:v1"});
  const auto storage = open_engine_storage(address_).value();
  Repositories repositories(*storage, std::chrono::seconds(0));
  const auto digest = Digest::of(layer_);
  EXPECT_EQ(repositories.blob_size("app", digest).value(), layer_.size());
  EXPECT_EQ(repositories.blob_size("other", digest).error().kind(), Kind::NotFound);
  const auto content = repositories.open_blob("app", digest).value();
  EXPECT_EQ(content.size, layer_.size());
  const auto part = [&](std::uint64_t first, std::uint64_t length) {
    std::string out;
    const auto copied = content.copy(first, length, [&](std::string_view bytes) {
      out += bytes;
      return success();
    });
    EXPECT_TRUE(copied.ok());
    return out;
  };
  EXPECT_EQ(part(0, layer_.size()), layer_);
  EXPECT_EQ(part(699'999, 3), "len");
  EXPECT_EQ(part(layer_.size(), 0), "");
  // More than there is: the engine has lost something.
  const auto copied = content.copy(0, layer_.size() + 1, [](std::string_view) { return success(); });
  EXPECT_EQ(copied.error().kind(), Kind::Unavailable);
  const auto config = repositories.open_blob("app", Digest::of("config")).value();
  EXPECT_FALSE(config.copy(0, 6, [](std::string_view) { return success(); }).ok());
}

TEST_F(EngineStorageTest, NothingIsWritten) {
  add({"app:v1"});
  const auto storage = open_engine_storage(address_).value();
  EXPECT_EQ(storage->write("repositories/app/_tags/v2", "x").error().kind(), Kind::Unsupported);
  EXPECT_EQ(storage->remove("repositories/app/_tags/v1").error().kind(), Kind::Unsupported);
  EXPECT_EQ(storage->create_incoming("x").error().kind(), Kind::Unsupported);
}

TEST_F(EngineStorageTest, AnEngineThatIsNotThereIsNamed) {
  http::Address nowhere;
  nowhere.path = address_.path + "-none";
  const auto opened = open_engine_storage(nowhere);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().message().find(nowhere.path), std::string::npos) << opened.error().message();
}

}  // namespace
}  // namespace skiff::registry::server
