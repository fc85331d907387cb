#include "registry/server/repositories.h"

#include <gtest/gtest.h>

#include <thread>

#include "registry/server/collector.h"
#include "registry/server/memory_storage_test.h"
#include "registry/server/quotas.h"
#include "registry/server/uploads.h"

namespace skiff::registry::server {
namespace {

using spec::Digest;
using std::chrono::hours;
using std::chrono::seconds;

class RepositoriesTest : public testing::Test {
 protected:
  Digest push_blob(const std::string& name, const std::string& bytes) {
    auto session = uploads_.begin(name).value();
    EXPECT_TRUE(session->append(bytes).ok());
    const auto digest = Digest::of(bytes);
    const auto committed = session->commit(repositories_, name, digest);
    EXPECT_TRUE(committed.ok()) << committed.error().message();
    return digest;
  }

  /// An image of one config, and perhaps with a subject.
  std::string image_of(const Digest& config, const std::string& more = "") {
    return R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"c/t","digest":")" +
           config.to_string() + R"(","size":1},"layers":[])" + more + "}";
  }

  Digest push_image(const std::string& name, const std::string& tag, const std::string& bytes) {
    const auto digest = Digest::of(bytes);
    const auto put = repositories_.put_manifest(name, tag, digest, bytes, read_manifest(bytes, "").value());
    EXPECT_TRUE(put.ok()) << put.error().message();
    return digest;
  }

  Collected collect(bool untagged = false) { return Collector(repositories_, untagged).run({}).value(); }

  MemoryStorage storage_;
  Repositories repositories_{storage_, hours(1)};
  Uploads uploads_{storage_};
};

TEST_F(RepositoriesTest, BlobsAreSharedButVisibleOnlyWhereTheyArePushedOrMounted) {
  const auto digest = push_blob("a", "bytes");
  EXPECT_EQ(repositories_.blob_size("a", digest).value(), 5U);
  EXPECT_EQ(repositories_.blob_size("b", digest).error().kind(), Kind::NotFound);
  EXPECT_FALSE(repositories_.mount_blob("b", "c", digest).value());
  EXPECT_TRUE(repositories_.mount_blob("b", "a", digest).value());
  ASSERT_TRUE(repositories_.remove_blob("a", digest).ok());
  EXPECT_EQ(repositories_.open_blob("b", digest)->size, 5U);
  EXPECT_EQ(repositories_.open_blob("a", digest).error().kind(), Kind::NotFound);
}

TEST_F(RepositoriesTest, AManifestNeedsItsBlobs) {
  const std::string image = image_of(Digest::of("absent"));
  const auto put =
      repositories_.put_manifest("a", "v1", Digest::of(image), image, read_manifest(image, "").value());
  ASSERT_FALSE(put.ok());
  EXPECT_EQ(put.error().kind(), Kind::NotFound);
  EXPECT_EQ(put.error().message(), Digest::of("absent").to_string());
  EXPECT_EQ(repositories_.resolve("a", "v1").error().kind(), Kind::NotFound);
}

TEST_F(RepositoriesTest, TagsMoveAndGoWithTheirManifest) {
  const auto one = push_image("a", "v1", image_of(push_blob("a", "one")));
  const auto two = push_image("a", "v1", image_of(push_blob("a", "two")));
  push_image("a", "v2", image_of(push_blob("a", "two")));
  EXPECT_EQ(repositories_.resolve("a", "v1").value(), two);
  EXPECT_EQ(repositories_.manifest("a", one)->bytes, image_of(Digest::of("one")));
  ASSERT_TRUE(repositories_.remove_manifest("a", two).ok());
  EXPECT_TRUE(repositories_.tags("a")->empty());
  EXPECT_EQ(repositories_.manifest("a", two).error().kind(), Kind::NotFound);
  EXPECT_EQ(repositories_.names().value(), std::vector<std::string>{"a"});
}

TEST_F(RepositoriesTest, ReferrersAreListedUntilTheyAreRemoved) {
  const auto config = push_blob("a", "config");
  const auto subject = Digest::of("subject");
  const auto referrer = push_image(
      "a", "",
      image_of(config, R"(,"subject":{"mediaType":"m","digest":")" + subject.to_string() + R"(","size":7})"));
  const auto listed = repositories_.referrers("a", subject).value();
  ASSERT_EQ(listed.size(), 1U);
  EXPECT_EQ(listed[0].digest, referrer);
  EXPECT_EQ(listed[0].artifact_type, "c/t");
  ASSERT_TRUE(repositories_.remove_manifest("a", referrer).ok());
  EXPECT_TRUE(repositories_.referrers("a", subject)->empty());
}

TEST_F(RepositoriesTest, DamagedBytesAreNoticedAndHealed) {
  const auto config = push_blob("a", "config");
  const auto image = push_image("a", "v1", image_of(config));
  ASSERT_TRUE(storage_.write(blob_key(image), "damaged").ok());
  EXPECT_EQ(repositories_.manifest("a", image).error().kind(), Kind::DataLoss);
  push_image("a", "v1", image_of(config));
  EXPECT_TRUE(repositories_.manifest("a", image).ok());
  ASSERT_TRUE(storage_.write(blob_key(config), "damaged").ok());
  push_blob("a", "config");
  EXPECT_EQ(storage_.read(blob_key(config)).value(), "config");
}

TEST_F(RepositoriesTest, GarbageGoesAfterTheGracePeriod) {
  const auto used = push_blob("a", "used");
  const auto unused = push_blob("a", "unused");
  push_image("a", "v1", image_of(used));
  EXPECT_EQ(collect().links, 0);
  storage_.age(hours(2));
  const auto collected = collect();
  EXPECT_EQ(collected.links, 1);
  EXPECT_EQ(collected.blobs, 1);
  EXPECT_EQ(collected.bytes, 6U);
  EXPECT_EQ(storage_.stat(blob_key(unused)).error().kind(), Kind::NotFound);
  EXPECT_TRUE(repositories_.open_blob("a", used).ok());
}

TEST_F(RepositoriesTest, WhatAPusherHasAskedForStays) {
  const auto digest = push_blob("a", "bytes");
  storage_.age(hours(2));
  ASSERT_TRUE(repositories_.use_blob("a", digest).ok());
  EXPECT_EQ(collect().links, 0);
  push_image("a", "v1", image_of(digest));
}

TEST_F(RepositoriesTest, ABlobStaysAsLongAsOneRepositoryHasIt) {
  const auto digest = push_blob("a", "bytes");
  ASSERT_TRUE(repositories_.mount_blob("b", "a", digest).value());
  push_image("b", "v1", image_of(digest));
  storage_.age(hours(2));
  const auto collected = collect();
  EXPECT_EQ(collected.links, 1);
  EXPECT_EQ(collected.blobs, 0);
  EXPECT_TRUE(repositories_.open_blob("b", digest).ok());
}

TEST_F(RepositoriesTest, UntaggedManifestsGoOnlyWhenThatIsAsked) {
  const auto config = push_blob("a", "config");
  const auto old = push_image("a", "v1", image_of(config, R"(,"annotations":{"n":"old"})"));
  const auto child = push_image("a", "", image_of(config, R"(,"annotations":{"n":"child"})"));
  push_image(
      "a", "v1",
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"digest":")" +
          child.to_string() + R"(","size":1}]})");
  const auto signature = push_image(
      "a", "",
      image_of(config, R"(,"subject":{"mediaType":"m","digest":")" + child.to_string() + R"(","size":7})"));
  storage_.age(hours(2));
  EXPECT_EQ(collect(false).manifests, 0);
  EXPECT_EQ(collect(true).manifests, 1);
  EXPECT_EQ(repositories_.manifest("a", old).error().kind(), Kind::NotFound);
  EXPECT_TRUE(repositories_.manifest("a", child).ok());
  EXPECT_TRUE(repositories_.manifest("a", signature).ok());
}

TEST_F(RepositoriesTest, NothingIsCollectedWhereAManifestCannotBeRead) {
  const auto digest = push_blob("a", "bytes");
  const auto image = push_image("a", "v1", image_of(digest));
  push_blob("a", "unused");
  ASSERT_TRUE(storage_.write(blob_key(image), "damaged").ok());
  storage_.age(hours(2));
  EXPECT_EQ(collect().links, 0);
}

/// Without any grace only the collector's own care stands between a push and the loss of its blobs.
TEST_F(RepositoriesTest, CollectionsAndPushesGoTogether) {
  Repositories hasty(storage_, seconds(0));
  std::atomic<bool> stop = false;
  std::atomic<int> pushed = 0;
  const auto push = [&](int who) {
    for (int i = 0; !stop || i < 50; ++i) {
      const std::string name = "r" + std::to_string(who);
      const std::string bytes = "layer " + std::to_string(i % 7);
      auto session = uploads_.begin(name).value();
      ASSERT_TRUE(session->append(bytes).ok());
      ASSERT_TRUE(session->commit(hasty, name, Digest::of(bytes)).ok());
      const std::string image =
          image_of(Digest::of(bytes), R"(,"annotations":{"i":")" + std::to_string(i % 20) + "\"}");
      const auto put =
          hasty.put_manifest(name, "latest", Digest::of(image), image, read_manifest(image, "").value());
      // A blob may have gone before its manifest came: then the pusher is told. Never afterwards.
      if (!put.ok()) continue;
      ASSERT_TRUE(hasty.manifest(name, Digest::of(image)).ok());
      ASSERT_TRUE(hasty.open_blob(name, Digest::of(bytes)).ok());
      ++pushed;
    }
  };
  std::thread one(push, 1);
  std::thread two(push, 2);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(Collector(hasty, false).run({}).ok());
  stop = true;
  one.join();
  two.join();
  EXPECT_GT(pushed, 0);
}

TEST_F(RepositoriesTest, QuotasCountEachRepositorysBlobs) {
  Quotas quotas(repositories_, {{{"team/*"}, 10}});
  EXPECT_EQ(quotas.room("other").value(), std::nullopt);
  EXPECT_EQ(quotas.room("team/a").value(), 10U);
  push_blob("team/a", "1234");
  ASSERT_TRUE(quotas.take("team/a", 4).ok());
  EXPECT_EQ(quotas.room("team/b").value(), 6U);
  EXPECT_EQ(quotas.take("team/b", 7).error().kind(), Kind::Exhausted);
  quotas.forget();
  EXPECT_EQ(quotas.room("team/b").value(), 6U);
  quotas.give_back("team/a", 4);
  EXPECT_EQ(quotas.room("team/b").value(), 10U);
}

TEST_F(RepositoriesTest, AnUploadBelongsToItsRepository) {
  std::string id;
  {
    const auto session = uploads_.begin("a").value();
    id = session->id();
    ASSERT_TRUE(session->append("12").ok());
  }
  EXPECT_EQ(uploads_.resume("b", id).error().kind(), Kind::NotFound);
  EXPECT_EQ(uploads_.resume("a", "../../x").error().kind(), Kind::NotFound);
  EXPECT_EQ(uploads_.resume("a", id).value()->size(), 2U);
}

TEST_F(RepositoriesTest, AnUploadIsResumedAfterARestart) {
  std::string id;
  {
    const auto session = uploads_.begin("a").value();
    id = session->id();
    ASSERT_TRUE(session->append("hello ").ok());
  }
  Uploads later(storage_);
  const auto session = later.resume("a", id).value();
  ASSERT_TRUE(session->append("world").ok());
  EXPECT_TRUE(session->commit(repositories_, "a", Digest::of("hello world")).ok());
}

TEST_F(RepositoriesTest, AWrongDigestStoresNothing) {
  const auto session = uploads_.begin("a").value();
  ASSERT_TRUE(session->append("bytes").ok());
  const auto committed = session->commit(repositories_, "a", Digest::of("other"));
  ASSERT_FALSE(committed.ok());
  EXPECT_EQ(committed.error().kind(), Kind::InvalidArgument);
  EXPECT_EQ(repositories_.blob_size("a", Digest::of("other")).error().kind(), Kind::NotFound);
  EXPECT_EQ(repositories_.blob_size("a", Digest::of("bytes")).error().kind(), Kind::NotFound);
}

TEST_F(RepositoriesTest, OldUploadsExpireUnlessSomebodyIsAtWork) {
  const auto busy = uploads_.begin("a").value();
  std::string id;
  {
    const auto session = uploads_.begin("a").value();
    id = session->id();
  }
  storage_.age(hours(2));
  EXPECT_EQ(uploads_.expire(hours(3)).value(), 0);
  EXPECT_EQ(uploads_.expire(hours(1)).value(), 1);
  EXPECT_EQ(uploads_.resume("a", id).error().kind(), Kind::NotFound);
  EXPECT_TRUE(busy->append("x").ok());
}

}  // namespace
}  // namespace skiff::registry::server
