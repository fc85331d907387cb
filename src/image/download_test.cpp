#include <thread>

#include "image/transfer_test.h"

namespace skiff::image {
namespace {

/// Cuts the connection in the middle of each of the first `cuts` blobs that are asked for.
std::function<bool(http::Exchange&)> cutting(const std::string& bytes, int& cuts) {
  return [&bytes, &cuts](http::Exchange& http) {
    const auto digest = spec::Digest::of(bytes).to_string();
    if (http.method() != "GET" || !http.path().ends_with(digest) || cuts-- <= 0) return false;
    std::size_t from = 0;
    if (const auto range = http.fields().get("Range"); !range.empty()) {
      from = *parse_uint(range.substr(6, range.size() - 7));
      http.answer_fields().add("Content-Range",
                               fmt::format("bytes {}-{}/{}", from, bytes.size() - 1, bytes.size()));
    }
    (void)http.start(from > 0 ? 206 : 200, "application/octet-stream");
    (void)http.write(std::string_view(bytes).substr(from, (bytes.size() - from) / 2));
    http.abort();
    return true;
  };
}

TEST_F(TransferTest, ADownloadGoesOnWhereItBrokeOff) {
  const Tar layer = tar_of("a", noise(300'000, 1));
  publish("app", "v1", {layer});
  int cuts = 3;
  registry_.intercept = cutting(layer.gzip, cuts);
  Words words;
  const auto pulled = pull("app:v1", words);
  ASSERT_TRUE(pulled.ok()) << pulled.error().message();
  EXPECT_EQ(registry_.count("bytes="), 3U);
  EXPECT_EQ(file(*store_->resolve(registry_.name("app:v1")), 0, "a"), noise(300'000, 1));
}

TEST_F(TransferTest, WhatCameIsKeptForTheNextPull) {
  const Tar layer = tar_of("a", noise(300'000, 2));
  publish("app", "v1", {layer});
  std::stop_source stop;
  registry_.intercept = [&](http::Exchange& http) {
    if (!http.path().ends_with(spec::Digest::of(layer.gzip).to_string())) return false;
    (void)http.start(200, "application/octet-stream");
    (void)http.write(std::string_view(layer.gzip).substr(0, 200'000));
    // Until the client goes away.
    while (http.write("").ok() && !http.stop_token().stop_requested())
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    http.abort();
    return true;
  };
  Words words;
  std::thread impatient([&] {
    const std::string partial = base_ + "/content/partial/" + std::string(spec::Digest::of(layer.gzip).hex());
    std::error_code error;
    while (!fs::exists(partial, error) || fs::file_size(partial, error) < 200'000) std::this_thread::yield();
    stop.request_stop();
  });
  const auto pulled = pull("app:v1", words, "", stop.get_token());
  impatient.join();
  ASSERT_FALSE(pulled.ok());
  EXPECT_EQ(pulled.error().kind(), Kind::Cancelled);
  expect_nothing_left();
  EXPECT_EQ(partials(), 1U);
  registry_.intercept = nullptr;
  open();
  ASSERT_TRUE(pull("app:v1", words).ok());
  EXPECT_EQ(registry_.count("bytes=200000-"), 1U);
  EXPECT_EQ(partials(), 0U);
}

TEST_F(TransferTest, AWrongPartBeginsAnew) {
  const Tar layer = tar_of("a", noise(100'000, 3));
  publish("app", "v1", {layer});
  auto partial = *content_->partial(spec::Digest::of(layer.gzip));
  ASSERT_TRUE(partial->append(std::string(5000, 'x')).ok());
  partial.reset();
  Words words;
  const auto pulled = pull("app:v1", words);
  ASSERT_TRUE(pulled.ok()) << pulled.error().message();
  EXPECT_EQ(file(*store_->resolve(registry_.name("app:v1")), 0, "a"), noise(100'000, 3));
}

TEST_F(TransferTest, AWrongLayerLeavesNothing) {
  const Tar lower = tar_of("a", "one");
  const Tar upper = tar_of("b", noise(100'000, 4));
  publish("app", "v1", {lower, upper});
  const auto digest = spec::Digest::of(upper.gzip);
  std::string wrong = upper.gzip;
  wrong[wrong.size() / 2] ^= 1;
  registry_.intercept = [&](http::Exchange& http) {
    if (!http.path().ends_with(digest.to_string())) return false;
    (void)http.send(200, wrong, "application/octet-stream");
    return true;
  };
  EXPECT_EQ(pull_failure("app:v1"), "filesystem layer verification failed for digest " + digest.to_string());
  expect_nothing_left();
  EXPECT_EQ(partials(), 0U);
  // Bytes that are what was promised, and no tar.
  Tar broken = tar_of("c", "three");
  broken.gzip = "this is no archive";
  publish("app", "v2", {broken});
  registry_.intercept = nullptr;
  EXPECT_TRUE(pull_failure("app:v2").starts_with("failed to register layer: "));
  Tar other = tar_of("d", "four");
  other.diff_id = spec::Digest::of("another");
  publish("app", "v3", {lower, other});
  EXPECT_NE(pull_failure("app:v3").find("don't match image configuration"), std::string::npos);
  expect_nothing_left();
  EXPECT_EQ(partials(), 0U);
}

TEST_F(TransferTest, ARegistryThatStaysAwayIsGivenUp) {
  const Tar layer = tar_of("a", "one");
  publish("app", "v1", {layer});
  registry_.intercept = [&](http::Exchange& http) {
    if (!http.path().ends_with(spec::Digest::of(layer.gzip).to_string())) return false;
    (void)http.send(503, "");
    return true;
  };
  EXPECT_EQ(pull_failure("app:v1"),
            "download failed after attempts=2: received unexpected HTTP status: 503 Service Unavailable");
  expect_nothing_left();
}

TEST_F(TransferTest, AMirrorThatBreaksOffLeavesTheRestToTheRegistry) {
  const Tar layer = tar_of("a", noise(300'000, 8));
  publish("app", "v1", {layer});
  FakeRegistry mirror;
  mirror.put_blob(layer.gzip);
  const auto manifest = registry_.manifest("app", "v1");
  mirror.put_manifest("app", "v1", manifest, spec::oci::kMediaTypeManifest);
  mirror.put_blob(
      registry_.blob(std::get<spec::oci::Manifest>(*spec::oci::parse_document(manifest, "")).config.digest));
  int cuts = 1;
  const auto cut = cutting(layer.gzip, cuts);
  mirror.intercept = [&](http::Exchange& http) {
    if (cut(http)) return true;
    if (!http.path().ends_with(spec::Digest::of(layer.gzip).to_string())) return false;
    http.abort();
    return true;
  };
  settings_.mirrors = {fmt::format("{}=http://{}/", registry_.host(), mirror.host())};
  open();
  Words words;
  const auto pulled = pull("app:v1", words);
  ASSERT_TRUE(pulled.ok()) << pulled.error().message();
  EXPECT_EQ(mirror.count("/manifests/v1?ns=127.0.0.1%3A"), 1U);
  EXPECT_EQ(registry_.count(spec::Digest::of(layer.gzip).to_string() + " bytes="), 1U);
  EXPECT_EQ(file(*store_->resolve(registry_.name("app:v1")), 0, "a"), noise(300'000, 8));
  // One that has nothing at all.
  mirror.intercept = [](http::Exchange& http) {
    (void)http.send(404, "{}");
    return true;
  };
  publish("app", "v2", {tar_of("b", "two")});
  EXPECT_TRUE(pull("app:v2", words).ok());
}

TEST_F(TransferTest, EachBlobIsDownloadedOnceHoweverManyWantIt) {
  const Tar layer = tar_of("a", noise(200'000, 5));
  publish("app", "v1", {layer});
  publish("other", "v1", {layer, tar_of("b", "two")});
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < 6; ++i)
    threads.emplace_back([&, i] {
      Words words;
      const auto pulled = pull(i % 2 == 0 ? "app:v1" : "other:v1", words);
      EXPECT_TRUE(pulled.ok()) << pulled.error().message();
      good += pulled.ok() ? 1 : 0;
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 6);
  EXPECT_EQ(store_->list()->size(), 2U);
  EXPECT_EQ(snapshots_->list()->size(), 2U);
  EXPECT_EQ(registry_.count(spec::Digest::of(layer.gzip).to_string()), 1U);
}

TEST_F(TransferTest, LayersAreUnpackedSideBySide) {
  const Tar lower = tar_of("a", "one");
  publish("app", "v1", {lower, tar_of("b", "two")});
  const auto upper_is_here = [&] {
    std::error_code gone;
    for (fs::recursive_directory_iterator at(base_ + "/snapshots", gone), end; at != end; at.increment(gone))
      if (at->path().filename() == "b") return true;
    return false;
  };
  bool found = false;
  registry_.intercept = [&](http::Exchange& http) {
    if (http.path().find(lower.digest().to_string()) == std::string_view::npos) return false;
    // The lower layer comes only when the upper one is unpacked; half a minute is for ever.
    for (int i = 0; i < 3000 && !(found = upper_is_here()); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return false;
  };
  Words words;
  const auto pulled = pull("app:v1", words);
  ASSERT_TRUE(pulled.ok()) << pulled.error().message();
  EXPECT_TRUE(found);
  EXPECT_EQ(file(*store_->resolve(registry_.name("app:v1")), 1, "b"), "two");
}

TEST_F(TransferTest, ALayerMayStandInAnImageTwice) {
  const Tar layer = tar_of("a", noise(200'000, 8));
  publish("app", "v1", {layer, tar_of("b", "two"), layer});
  Words words;
  const auto pulled = pull("app:v1", words);
  ASSERT_TRUE(pulled.ok()) << pulled.error().message();
  const auto image = *store_->resolve(registry_.name("app:v1"));
  EXPECT_EQ(file(image, 0, "a"), file(image, 2, "a"));
  EXPECT_EQ(snapshots_->list()->size(), 3U);
  EXPECT_EQ(registry_.count(layer.digest().to_string()), 1U);
  EXPECT_EQ(partials(), 0U);
  open();
  EXPECT_EQ(std::distance(fs::directory_iterator(base_ + "/snapshots"), fs::directory_iterator()), 4);
}

}  // namespace
}  // namespace skiff::image
