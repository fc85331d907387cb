#include <fstream>

#include "image/check.h"
#include "image/transfer_test.h"

namespace skiff::image {
namespace {

TEST_F(TransferTest, APullFetchesWhatIsDamagedAgain) {
  const Tar lower = tar_of("a", "one");
  const Tar upper = tar_of("b", "two");
  const auto digest = spec::Digest::of(publish("app", "v1", {lower, upper}));
  Words words;
  ASSERT_TRUE(pull("app:v1", words).ok());
  const auto image = *store_->resolve(registry_.name("app:v1"));
  const std::string repaired = "Status: Repaired damaged image for " + registry_.name("app:v1");

  std::ofstream(*snapshots_->layer_directory(image.layers[0].snapshot) + "/a") << "ONE";
  ASSERT_TRUE(snapshots_->set_damage(image.layers[0].snapshot, "changed").ok());
  registry_.forget_requests();
  Words of_contents;
  auto pulled = pull("app:v1", of_contents);
  ASSERT_TRUE(pulled.ok()) << pulled.error().message();
  EXPECT_EQ(of_contents.lines().back(), repaired);
  EXPECT_EQ(file(image, 0, "a") + file(image, 1, "b"), "onetwo");
  EXPECT_EQ(registry_.count(spec::Digest::of(upper.gzip).to_string()), 0U) << "what is whole is not fetched";

  fs::remove_all(fs::path(*snapshots_->layer_directory(image.layers[1].snapshot)).parent_path());
  Words of_folder;
  ASSERT_TRUE(pull("app:v1", of_folder).ok());
  EXPECT_EQ(of_folder.lines().back(), repaired);
  EXPECT_EQ(file(image, 0, "a") + file(image, 1, "b"), "onetwo");

  for (const auto& blob : {image.id, digest})
    std::ofstream(base_ + "/content/blobs/sha256/" + std::string(blob.hex())) << "{}";
  open();
  Words of_config;
  ASSERT_TRUE(pull("app:v1", of_config).ok());
  EXPECT_EQ(of_config.lines().back(), repaired);
  EXPECT_EQ(store_->resolve(registry_.name("app:v1"))->id, image.id);
  EXPECT_TRUE(content_->read(digest).ok());
  EXPECT_EQ(snapshots_->list()->size(), 2U);
  Words again;
  ASSERT_TRUE(pull("app:v1", again).ok());
  EXPECT_EQ(again.lines().back(), "Status: Image is up to date for " + registry_.name("app:v1"));
}

TEST_F(TransferTest, WhatACheckFindsIsMendedInPlace) {
  const Tar lower = tar_of("a", "one");
  const Tar upper = tar_of("b", "two");
  publish("app", "v1", {lower, upper});
  Words words;
  ASSERT_TRUE(pull("app:v1", words).ok());
  const auto image = *store_->resolve(registry_.name("app:v1"));
  ASSERT_TRUE(snapshots_->prepare("stopped", image.snapshot).ok());
  auto checked = check(*store_, *database_, words, {});
  ASSERT_TRUE(checked.ok()) << checked.error().message();
  EXPECT_TRUE(checked->findings.empty());
  EXPECT_EQ(checked->report.layers, 2);
  EXPECT_EQ(checked->report.blobs, 2);

  std::ofstream(*snapshots_->layer_directory(image.layers[0].snapshot) + "/a") << "ONE";
  fs::remove(*snapshots_->note(image.layers[1].snapshot, "recipe"));
  checked = check(*store_, *database_, words, {});
  ASSERT_EQ(checked->findings.size(), 2U);
  for (const auto& finding : checked->findings) {
    EXPECT_EQ(finding.damage.kind, "layer");
    EXPECT_EQ(finding.damage.images, (std::vector<std::string>{registry_.name("app:v1")}));
    const bool is_lower = finding.damage.id == lower.diff_id.to_string();
    EXPECT_NE(finding.damage.problem.find(is_lower ? "of its tar have the digest" : "its recipe"),
              std::string::npos)
        << finding.damage.problem;
    EXPECT_FALSE(is_mended(*store_, finding));
  }
  store_->set_while_still([](const std::string&, const auto& work) { return work({"stopped"}); });
  const auto nobody = [](const std::string&) { return registry::Credentials(); };
  const auto mended = puller_->mend(image, nobody, words, {});
  ASSERT_TRUE(mended.ok()) << mended.error().message();
  for (const auto& finding : checked->findings) EXPECT_TRUE(is_mended(*store_, finding));
  EXPECT_TRUE(check(*store_, *database_, words, {})->findings.empty());
  EXPECT_EQ(snapshots_->list()->size(), 3U);
  EXPECT_EQ(partials(), 0U);
}

TEST_F(TransferTest, ACheckKnowsWhatIsInNoImage) {
  Words words;
  const auto stray = *content_->put("stray");
  EXPECT_TRUE(check(*store_, *database_, words, {})->report.leftovers.empty()) << "it is young";
  const fs::path path = base_ + "/content/blobs/sha256/" + std::string(stray.hex());
  fs::last_write_time(path, fs::last_write_time(path) - std::chrono::hours(1));
  const auto checked = check(*store_, *database_, words, {});
  ASSERT_EQ(checked->report.leftovers.size(), 1U);
  EXPECT_EQ(checked->report.leftovers[0].name, stray.to_string());
  // A layer of an image that went, under a container: its digest is known from its chain alone.
  publish("app", "v1", {tar_of("a", "one")});
  ASSERT_TRUE(pull("app:v1", words).ok());
  const auto image = *store_->resolve(registry_.name("app:v1"));
  ASSERT_TRUE(snapshots_->prepare("stopped", image.snapshot).ok());
  ASSERT_TRUE(store_->remove(registry_.name("app:v1"), true, true, {}).ok());
  EXPECT_TRUE(check(*store_, *database_, words, {})->findings.empty());
  std::ofstream(*snapshots_->layer_directory(image.snapshot) + "/a") << "ONE";
  const auto found = check(*store_, *database_, words, {});
  ASSERT_EQ(found->findings.size(), 1U);
  EXPECT_EQ(found->findings[0].snapshot, image.snapshot);
  EXPECT_TRUE(found->findings[0].damage.images.empty());
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(check(*store_, *database_, words, stop.get_token()).error().kind(), Kind::Cancelled);
}

TEST_F(TransferTest, CompressedLayersAreKeptOnRequest) {
  const Tar layer = tar_of("a", noise(100'000, 5));
  // Not as we would compress it.
  const Tar same{layer.bytes, layer.diff_id,
                 layer.gzip + std::string("\x1f\x8b\x08\0\0\0\0\0\0\xff\x03\0\0\0\0\0\0\0\0\0", 20)};
  const auto blob = spec::Digest::of(same.gzip);
  publish("app", "v1", {same});
  Words words;
  ASSERT_TRUE(pull("app:v1", words).ok());
  EXPECT_FALSE(content_->contains(blob));
  const auto image = *store_->resolve(registry_.name("app:v1"));
  ASSERT_TRUE(store_->remove(image.id.to_string(), true, false, {}).ok());
  settings_.keep_layer_blobs = true;
  open();
  ASSERT_TRUE(pull("app:v1", words).ok());
  EXPECT_TRUE(content_->contains(blob));
  EXPECT_EQ(partials(), 0U);
  EXPECT_EQ(store_->resolve(image.id.to_string())->manifests.size(), 1U);
  open();
  EXPECT_TRUE(content_->contains(blob)) << "a start removes what nothing names";
  FakeRegistry other;
  const auto target = *spec::Reference::parse(other.name("copy:v1"));
  ASSERT_TRUE(store_->tag(image.id, target).ok());
  const auto pushed = pusher_->push({target, {}, {}}, words, {});
  ASSERT_TRUE(pushed.ok()) << pushed.error().message();
  EXPECT_TRUE(other.has_blob(blob));
  ASSERT_TRUE(store_->remove(image.id.to_string(), true, false, {}).ok());
  EXPECT_FALSE(content_->contains(blob));
}

/// The layer itself is sound: only a convenience is lost.
TEST_F(TransferTest, AKeptLayerThatIsDamagedKeepsNothingFromBeingPushed) {
  const Tar layer = tar_of("a", noise(100'000, 8));
  const auto blob = spec::Digest::of(layer.gzip);
  publish("app", "v1", {layer});
  settings_.keep_layer_blobs = true;
  open();
  Words words;
  ASSERT_TRUE(pull("app:v1", words).ok());
  std::ofstream(base_ + "/content/blobs/sha256/" + std::string(blob.hex()), std::ios::app) << "more";
  FakeRegistry other;
  const auto target = *spec::Reference::parse(other.name("copy:v1"));
  ASSERT_TRUE(store_->tag(store_->resolve(registry_.name("app:v1"))->id, target).ok());
  const auto pushed = pusher_->push({target, {}, {}}, words, {});
  ASSERT_TRUE(pushed.ok()) << pushed.error().message();
  ASSERT_TRUE(store_->remove(registry_.name("app:v1"), true, false, {}).ok());
  ASSERT_TRUE(store_->remove(target.to_string(), true, false, {}).ok());
  PullRequest back{target, {}, {}};
  EXPECT_TRUE(puller_->pull(back, words, {}).ok());
}

/// Only a blob that was unpacked here is known to be the layer.
TEST_F(TransferTest, AManifestIsNotBelievedForLayersThatAreHere) {
  const Tar layer = tar_of("a", "one");
  publish("app", "v1", {layer});
  Words words;
  ASSERT_TRUE(pull("app:v1", words).ok());
  Tar lie = layer;
  lie.gzip += "another blob";
  publish("lie", "v1", {lie, tar_of("b", "two")});
  ASSERT_TRUE(pull("lie:v1", words).ok());
  const auto known = *ledger_->blobs_of(layer.diff_id);
  ASSERT_EQ(known.size(), 1U);
  EXPECT_EQ(known.front().digest, layer.digest());
}

TEST_F(TransferTest, AKeptLayerIsCheckedAndMissedByNobody) {
  const Tar layer = tar_of("a", noise(100'000, 6));
  const auto blob = spec::Digest::of(layer.gzip);
  publish("app", "v1", {layer});
  settings_.keep_layer_blobs = true;
  open();
  Words words;
  ASSERT_TRUE(pull("app:v1", words).ok());
  const fs::path path = base_ + "/content/blobs/sha256/" + std::string(blob.hex());
  fs::last_write_time(path, fs::last_write_time(path) - std::chrono::hours(1));
  auto checked = check(*store_, *database_, words, {});
  ASSERT_TRUE(checked.ok()) << checked.error().message();
  EXPECT_TRUE(checked->findings.empty());
  EXPECT_TRUE(checked->report.leftovers.empty());
  EXPECT_EQ(checked->report.blobs, 3);
  std::ofstream(path, std::ios::app) << "more";
  checked = check(*store_, *database_, words, {});
  ASSERT_EQ(checked->findings.size(), 1U);
  EXPECT_EQ(checked->findings[0].damage.kind, "compressed layer");
  EXPECT_EQ(checked->findings[0].damage.id, blob.to_string());
  ASSERT_TRUE(drop_kept_layer(*store_, checked->findings[0]).ok());
  EXPECT_FALSE(content_->contains(blob));
  EXPECT_TRUE(check(*store_, *database_, words, {})->findings.empty());
  FakeRegistry other;
  const auto target = *spec::Reference::parse(other.name("copy:v1"));
  ASSERT_TRUE(store_->tag(store_->resolve(registry_.name("app:v1"))->id, target).ok());
  EXPECT_TRUE(pusher_->push({target, {}, {}}, words, {}).ok());
}

}  // namespace
}  // namespace skiff::image
