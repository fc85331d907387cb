#include "image/store.h"

#include <fcntl.h>

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "archive/diff.h"
#include "image/import.h"
#include "image/stores_test.h"
#include "sys/file.h"

namespace skiff::image {
namespace {

namespace fs = std::filesystem;

class ImageTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "skiff-image-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    base_ = name;
    restart();
  }
  void TearDown() override {
    close();
    fs::remove_all(base_);
  }
  void close() {
    store_.reset();
    snapshots_.reset();
    content_.reset();
    database_.reset();
  }
  void restart() {
    close();
    database_ = std::move(*meta::Database::open(base_ + "/meta.db"));
    content_ = std::move(*content::Store::open(base_ + "/content"));
    snapshots_ = std::move(*snapshot::Store::open(base_ + "/snapshots", *database_));
    auto opened = Store::open(*content_, *snapshots_, *database_);
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    store_ = std::move(*opened);
  }

  sys::Fd tar_of(const std::string& name, const std::string& data) {
    std::ofstream(base_ + "/layer.tar", std::ios::binary) << tar_with(name, data);
    return *sys::open_file(base_ + "/layer.tar", O_RDONLY);
  }
  Layer layer(const std::string& data, const std::string& parent = "") {
    auto made = store_->import_layer(tar_of("file", data), parent);
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message());
    return made.ok() ? *made : Layer();
  }
  Image image(const std::vector<Layer>& layers, const std::string& comment = "",
              const std::string& parent = "") {
    spec::oci::Image config;
    config.author = comment;
    config.platform = spec::Platform::host();
    for (const auto& one : layers) config.rootfs.diff_ids.push_back(one.diff_id);
    auto made = store_->create(config, layers, parent);
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message());
    return made.ok() ? *made : Image();
  }
  void tag(const Image& target, const std::string& name) {
    auto tagged = store_->tag(target.id, *spec::Reference::parse(name));
    ASSERT_TRUE(tagged.ok()) << tagged.error().message();
  }
  static InUse used_by(const std::string& container, bool running) {
    return [=](const spec::Digest&, bool* is_running) {
      *is_running = running;
      return container;
    };
  }
  std::string refusal(std::string_view name, bool force, const InUse& in_use = {}) {
    auto removed = store_->remove(name, force, true, in_use);
    if (removed) return "removed";
    EXPECT_EQ(removed.error().kind(), Kind::Conflict);
    return removed.error().message();
  }
  /// "u:name d:id ..." of a removal.
  std::vector<std::string> lines(std::string_view name, bool force = false) {
    std::vector<std::string> found;
    auto removed = store_->remove(name, force, true, {});
    EXPECT_TRUE(removed.ok()) << (removed.ok() ? "" : removed.error().message());
    if (removed)
      for (const auto& line : *removed)
        found.push_back(line.untagged.empty() ? "d:" + line.deleted : "u:" + line.untagged);
    return found;
  }

  const std::string container_ = std::string(64, 'c');
  std::string base_;
  std::unique_ptr<meta::Database> database_;
  std::unique_ptr<content::Store> content_;
  std::unique_ptr<snapshot::Store> snapshots_;
  std::unique_ptr<Store> store_;
};

TEST_F(ImageTest, ImagesAreFoundByNameIdAndPrefix) {
  const Image made = image({layer("one")});
  tag(made, "busybox");
  tag(made, "localhost:5000/x:v1");
  const std::string id = made.id.to_string();
  for (const std::string& name :
       {std::string("busybox"), std::string("busybox:latest"), std::string("docker.io/library/busybox"),
        std::string("localhost:5000/x:v1"), id, id.substr(7), id.substr(7, 12), id.substr(0, 20)}) {
    auto found = store_->resolve(name);
    ASSERT_TRUE(found.ok()) << name << ": " << found.error().message();
    EXPECT_EQ(found->id, made.id);
  }
  const auto found = *store_->resolve("busybox");
  EXPECT_EQ(found.tags, (std::vector<std::string>{"busybox:latest", "localhost:5000/x:v1"}));
  EXPECT_EQ(found.size, 3u);
  EXPECT_NE(found.tagged, Time{});
}

TEST_F(ImageTest, WhatIsNotThereIsNamedAsDockerNamesIt) {
  EXPECT_EQ(store_->resolve("nope").error().message(), "No such image: nope:latest");
  EXPECT_EQ(store_->resolve("nope").error().kind(), Kind::NotFound);
  EXPECT_EQ(store_->resolve("Not A Name").error().kind(), Kind::InvalidArgument);
  EXPECT_EQ(store_->resolve("sha256:" + std::string(64, '0')).error().kind(), Kind::NotFound);
}

TEST_F(ImageTest, EverythingIsThereAfterARestart) {
  const Layer bottom = layer("one");
  const Image made = image({bottom, layer("two", bottom.snapshot)}, "me");
  tag(made, "app:v1");
  restart();
  const auto found = store_->resolve("app:v1");
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->id, made.id);
  EXPECT_EQ(found->config.author, "me");
  EXPECT_EQ(found->layers.size(), 2u);
  EXPECT_EQ(found->size, 6u);
  EXPECT_EQ(found->snapshot, made.snapshot);
  EXPECT_TRUE(snapshots_->find_chain(spec::oci::chain_ids(found->config.rootfs.diff_ids)[1])->has_value());
}

TEST_F(ImageTest, MakingTheSameImageAgainGivesTheSameId) {
  const Layer one = layer("one");
  EXPECT_EQ(image({one}).id, image({one}).id);
  EXPECT_EQ(store_->list()->size(), 1u);
}

TEST_F(ImageTest, LayersMustMatchTheConfig) {
  spec::oci::Image config;
  config.rootfs.diff_ids = {spec::Digest::of("other")};
  EXPECT_EQ(store_->create(config, {layer("one")}, "").error().kind(), Kind::InvalidArgument);
  EXPECT_EQ(store_->create(config, {}, "").error().kind(), Kind::InvalidArgument);
}

TEST_F(ImageTest, AConfigFromElsewhereIsKeptByteForByte) {
  const Layer one = layer("one");
  const std::string config = fmt::format(R"({{ "os":"linux","architecture":"amd64", "container":"x",
      "rootfs":{{"type":"layers","diff_ids":["{}"]}} }})",
                                         one.diff_id.to_string());
  const auto made = store_->create_from(config, {one}, "");
  ASSERT_TRUE(made.ok()) << made.error().message();
  EXPECT_EQ(made->id, spec::Digest::of(config));
  EXPECT_EQ(*content_->read(made->id), config);
  EXPECT_EQ(store_->create_from("[1]", {}, "").error().kind(), Kind::InvalidArgument);
}

TEST_F(ImageTest, ANameMovesToTheImageThatGotItLast) {
  const Image first = image({layer("one")});
  const Image second = image({layer("two")});
  tag(first, "app");
  tag(second, "app");
  EXPECT_EQ(store_->resolve("app")->id, second.id);
  EXPECT_TRUE(store_->resolve(first.id.to_string())->tags.empty());
}

TEST_F(ImageTest, RemovingOneOfSeveralNamesOnlyUntags) {
  const Image made = image({layer("one")});
  tag(made, "a");
  tag(made, "b");
  EXPECT_EQ(lines("a"), (std::vector<std::string>{"u:a:latest"}));
  EXPECT_TRUE(store_->resolve("b").ok());
}

TEST_F(ImageTest, RemovingTheLastNameDeletesImageAndLayers) {
  const Image made = image({layer("one")});
  tag(made, "a");
  EXPECT_EQ(lines("a"), (std::vector<std::string>{"u:a:latest", "d:" + made.id.to_string(),
                                                  "d:" + made.config.rootfs.diff_ids[0].to_string()}));
  EXPECT_TRUE(store_->list()->empty());
  EXPECT_TRUE(snapshots_->list()->empty());
  EXPECT_FALSE(content_->contains(made.id));
}

TEST_F(ImageTest, ARepoDigestIsANameAndGoesWithTheLastTag) {
  const Image made = image({layer("one")});
  const auto digest = spec::Digest::of("manifest");
  const spec::Digest manifest = *content_->put("manifest");
  tag(made, "localhost:5000/app:v1");
  const auto name = spec::Reference::parse("localhost:5000/app:v1")->with_digest(digest);
  ASSERT_TRUE(store_->add_digest(made.id, name, {manifest}).ok());
  restart();
  const std::string shown = "localhost:5000/app@" + digest.to_string();
  const auto found = store_->resolve(shown);
  ASSERT_TRUE(found.ok()) << found.error().message();
  EXPECT_EQ(found->tags, (std::vector<std::string>{"localhost:5000/app:v1"}));
  EXPECT_EQ(found->repo_digests, (std::vector<std::string>{shown}));
  EXPECT_EQ(store_->resolve("localhost:5000/app:other@" + digest.to_string())->id, made.id);
  EXPECT_EQ(lines("localhost:5000/app:v1"),
            (std::vector<std::string>{"u:localhost:5000/app:v1", "u:" + shown, "d:" + made.id.to_string(),
                                      "d:" + made.config.rootfs.diff_ids[0].to_string()}));
  EXPECT_FALSE(content_->contains(manifest));
}

TEST_F(ImageTest, AnIdMeansATagAndTheDigestsOfItsRepository) {
  const Image made = image({layer("one")});
  tag(made, "app:v1");
  ASSERT_TRUE(store_->add_digest(made.id, spec::Reference::parse("app")->with_digest(made.id), {}).ok());
  EXPECT_EQ(lines(made.id.to_string()).size(), 4U);
  EXPECT_TRUE(store_->list()->empty());
}

TEST_F(ImageTest, LayersWithoutAnImageGoAtTheNextStart) {
  const Layer bottom = layer("one");
  const Image kept = image({bottom}, "kept");
  layer("two", layer("three").snapshot);
  restart();
  EXPECT_EQ(snapshots_->list()->size(), 1U);
  EXPECT_TRUE(store_->resolve(kept.id.to_string()).ok());
}

TEST_F(ImageTest, AnIdWithSeveralNamesMustBeForced) {
  const Image made = image({layer("one")});
  tag(made, "a");
  tag(made, "b");
  const std::string shown(made.id.short_hex());
  EXPECT_EQ(
      refusal(shown, false),
      fmt::format(
          "conflict: unable to delete {} (must be forced) - image is referenced in multiple repositories",
          shown));
  EXPECT_EQ(lines(shown, true).front(), "u:a:latest");
  EXPECT_TRUE(store_->list()->empty());
}

TEST_F(ImageTest, ContainersKeepTheirImage) {
  const Image made = image({layer("one")});
  tag(made, "a");
  const std::string shown(made.id.short_hex());
  EXPECT_EQ(
      refusal("a", false, used_by(container_, false)),
      fmt::format(
          "conflict: unable to remove repository reference \"a\" (must force) - container cccccccccccc is "
          "using its referenced image {}",
          shown));
  EXPECT_EQ(refusal(shown, false, used_by(container_, false)),
            fmt::format("conflict: unable to delete {} (must be forced) - image is being used by stopped "
                        "container cccccccccccc",
                        shown));
  EXPECT_EQ(refusal(shown, true, used_by(container_, true)),
            fmt::format("conflict: unable to delete {} (cannot be forced) - image is being used by running "
                        "container cccccccccccc",
                        shown));
  EXPECT_EQ(refusal(shown, false, used_by(container_, true)),
            fmt::format("conflict: unable to delete {} (cannot be forced) - image is being used by running "
                        "container cccccccccccc",
                        shown));
  // Forced by name below a running container: the name goes, the image stays.
  EXPECT_EQ(refusal("a", true, used_by(container_, true)), "removed");
  EXPECT_TRUE(store_->resolve(shown).ok());
}

TEST_F(ImageTest, ParentsGoWithTheirLastChild) {
  const Layer bottom = layer("one");
  const Image parent = image({bottom}, "parent");
  const Image child = image({bottom, layer("two", bottom.snapshot)}, "child", parent.id.to_string());
  EXPECT_EQ(refusal(parent.id.short_hex(), true),
            fmt::format("conflict: unable to delete {} (cannot be forced) - image has dependent child images",
                        parent.id.short_hex()));
  tag(child, "child");
  EXPECT_EQ(lines("child").size(), 5u);
  EXPECT_TRUE(store_->list()->empty());
  EXPECT_TRUE(snapshots_->list()->empty());
}

TEST_F(ImageTest, ANamedParentStays) {
  const Layer bottom = layer("one");
  const Image parent = image({bottom}, "parent");
  tag(parent, "parent");
  const Image child = image({bottom, layer("two", bottom.snapshot)}, "child", parent.id.to_string());
  lines(child.id.to_string());
  EXPECT_EQ(store_->list()->size(), 1u);
  EXPECT_EQ(snapshots_->list()->size(), 1u);
}

TEST_F(ImageTest, APinnedImageStaysUnlessForced) {
  const Image made = image({layer("one")});
  tag(made, "a");
  tag(made, "b");
  ASSERT_TRUE(store_->pin("b", true).ok());
  restart();
  EXPECT_TRUE(store_->resolve("a")->pinned);
  EXPECT_EQ(lines("b"), std::vector<std::string>{"u:b:latest"});
  const std::string words = fmt::format(
      "conflict: unable to delete {} (must be forced) - image is pinned; unpin it first (skiff image unpin)",
      made.id.short_hex());
  EXPECT_EQ(refusal("a", false), words);
  EXPECT_EQ(refusal(made.id.to_string(), false), words);
  EXPECT_EQ(store_->evict(made.id, now(), {}).error().message(), words);
  ASSERT_TRUE(store_->pin(made.id.to_string(), false).ok());
  ASSERT_TRUE(store_->pin("a", true).ok());
  EXPECT_EQ(lines("a", true).front(), "u:a:latest");
  EXPECT_FALSE(store_->resolve(made.id.to_string()).ok());
  // Made anew it is not pinned any more.
  EXPECT_FALSE(image({layer("one")}).pinned);
  EXPECT_EQ(store_->pin("none", true).error().message(), "No such image: none:latest");
}

TEST_F(ImageTest, APinnedParentStaysWhenItsLastChildGoes) {
  const Layer bottom = layer("one");
  const Image parent = image({bottom});
  const Image child = image({bottom}, "child", parent.id.to_string());
  tag(child, "child");
  ASSERT_TRUE(store_->pin(parent.id.to_string(), true).ok());
  EXPECT_EQ(lines("child").size(), 2U);
  EXPECT_TRUE(store_->resolve(parent.id.to_string()).ok());
}

TEST_F(ImageTest, EvictionTakesAllNamesOrNothing) {
  const Image made = image({layer("one")});
  tag(made, "a");
  tag(made, "x.example/b");
  EXPECT_EQ(store_->evict(made.id, now(), used_by(container_, false)).error().kind(), Kind::Conflict);
  EXPECT_EQ(store_->resolve("a")->tags.size(), 2U);
  EXPECT_EQ(store_->evict(made.id, now(), used_by("", false))->size(), 4U);
  EXPECT_FALSE(store_->resolve("a").ok());
  EXPECT_TRUE(snapshots_->list()->empty());
  EXPECT_EQ(store_->evict(made.id, now(), {}).error().kind(), Kind::NotFound);
}

TEST_F(ImageTest, AnImageThatIsHeldGoesOnlyByForce) {
  const Image made = image({layer("one")});
  auto hold = store_->hold(made.id);
  { const auto another = store_->hold(made.id); }
  const std::string words =
      fmt::format("conflict: unable to delete {} (must be forced) - image is being pulled or built from",
                  made.id.short_hex());
  EXPECT_EQ(store_->evict(made.id, now(), {}).error().message(), words);
  EXPECT_EQ(refusal(made.id.to_string(), false), words);
  // Its name goes.
  tag(made, "a");
  EXPECT_EQ(lines("a"), std::vector<std::string>{"u:a:latest"});
  EXPECT_TRUE(store_->resolve(made.id.to_string()).ok());
  hold.reset();
  EXPECT_TRUE(store_->evict(made.id, now(), {}).ok());
  // One that is still to come.
  hold = store_->hold(made.id);
  ASSERT_EQ(image({layer("one")}).id, made.id);
  EXPECT_EQ(refusal(made.id.to_string(), false), words);
  EXPECT_FALSE(lines(made.id.to_string(), true).empty());
}

TEST_F(ImageTest, LayersThatAreHeldGoWithTheirLastHold) {
  const Layer below = layer("one");
  const Layer above = layer("two", below.snapshot);
  const Image made = image({below, above});
  auto hold = store_->hold_layers({above.snapshot});
  { const auto another = store_->hold_layers({above.snapshot}); }
  EXPECT_EQ(lines(made.id.to_string(), true), std::vector<std::string>{"d:" + made.id.to_string()});
  EXPECT_EQ(snapshots_->list()->size(), 2u);
  // Who holds them makes an image of them, and keeps them.
  const Image again = image({below, above});
  hold.reset();
  EXPECT_EQ(snapshots_->list()->size(), 2u);
  hold = store_->hold_layers({above.snapshot});
  EXPECT_EQ(lines(again.id.to_string()), std::vector<std::string>{"d:" + made.id.to_string()});
  hold.reset();
  EXPECT_TRUE(snapshots_->list()->empty());
}

TEST_F(ImageTest, LayersAreHeldByTheBeginningOfTheirKeys) {
  const Image made = image({layer("one")});
  auto hold = store_->hold_layers_of("layer-");
  EXPECT_FALSE(lines(made.id.to_string(), true).empty());
  EXPECT_EQ(snapshots_->list()->size(), 1u);
  store_->hold_layers_of("build-").reset();
  EXPECT_EQ(snapshots_->list()->size(), 1u);
  hold.reset();
  EXPECT_TRUE(snapshots_->list()->empty());
}

TEST_F(ImageTest, ALayerThatIsDroppedStaysWithWhomElseItIsOfUse) {
  const Layer below = layer("one");
  const Layer above = layer("two", below.snapshot);
  (void)image({below});
  store_->drop_layer(below.snapshot);
  EXPECT_EQ(store_->remove_layer(below.snapshot).error().kind(), Kind::Conflict);
  EXPECT_TRUE(snapshots_->info(below.snapshot).ok());
  auto hold = store_->hold_layers({above.snapshot});
  EXPECT_EQ(store_->remove_layer(above.snapshot).error().kind(), Kind::Conflict);
  store_->drop_layer(above.snapshot);
  EXPECT_TRUE(snapshots_->info(above.snapshot).ok());
  hold.reset();
  EXPECT_FALSE(snapshots_->info(above.snapshot).ok());
  // From below up they go too, once nothing stands on them.
  const Layer third = layer("three");
  const Layer fourth = layer("four", third.snapshot);
  store_->drop_layer(third.snapshot);
  EXPECT_TRUE(snapshots_->info(third.snapshot).ok());
  EXPECT_TRUE(store_->remove_layer(fourth.snapshot).ok());
  EXPECT_TRUE(store_->sweep_layers().ok());
  EXPECT_FALSE(snapshots_->info(third.snapshot).ok());
  store_->drop_layer(third.snapshot);
}

TEST_F(ImageTest, WhatIsTakenBackStaysWithWhomElseItIsOfUse) {
  const Image made = image({layer("one")});
  auto hold = store_->hold(made.id);
  store_->take_back(made.id);
  EXPECT_TRUE(store_->resolve(made.id.to_string()).ok());
  hold.reset();
  tag(made, "a");
  store_->take_back(made.id);
  EXPECT_TRUE(store_->resolve("a").ok());
  const Image unnamed = image({layer("two")});
  store_->take_back(unnamed.id);
  store_->take_back(unnamed.id);
  EXPECT_FALSE(store_->resolve(unnamed.id.to_string()).ok());
  EXPECT_EQ(snapshots_->list()->size(), 1u);
}

TEST_F(ImageTest, WhatWasUsedMeanwhileIsNotEvicted) {
  const Image made = image({layer("one")});
  const Time since = now();
  store_->used(made.id);
  EXPECT_EQ(store_->evict(made.id, since, {}).error().kind(), Kind::Conflict);
  EXPECT_TRUE(store_->evict(made.id, now(), {}).ok());
}

TEST_F(ImageTest, UsesAreRemembered) {
  const Time before = now();
  const Image made = image({layer("one")});
  EXPECT_GE(made.used, before);
  restart();
  const Time written = store_->resolve(made.id.to_string())->used;
  EXPECT_EQ(written, made.used);
  store_->used(made.id);
  EXPECT_GT(store_->resolve(made.id.to_string())->used, written);
}

TEST_F(ImageTest, LayersBelowAContainerGoWhenItIsGone) {
  const Image made = image({layer("one")});
  ASSERT_TRUE(snapshots_->prepare("container", made.snapshot).ok());
  ASSERT_EQ(refusal(made.id.to_string(), true, used_by(container_, false)), "removed");
  EXPECT_EQ(snapshots_->list()->size(), 2u);
  ASSERT_TRUE(snapshots_->remove("container").ok());
  restart();
  EXPECT_TRUE(snapshots_->list()->empty());
}

TEST_F(ImageTest, AFailedImportLeavesNothing) {
  std::ofstream(base_ + "/bad.tar") << "this is no tar archive at all";
  EXPECT_FALSE(store_->import_layer(*sys::open_file(base_ + "/bad.tar", O_RDONLY), "").ok());
  EXPECT_TRUE(snapshots_->list()->empty());
}

TEST_F(ImageTest, ACommittedLayerIsTheTarThatDiffMakes) {
  ASSERT_TRUE(snapshots_->prepare("work", "").ok());
  std::ofstream(*snapshots_->layer_directory("work") + "/file") << "content";
  const auto made = store_->commit_layer("work", "done");
  ASSERT_TRUE(made.ok()) << made.error().message();
  EXPECT_EQ(made->bytes, 7u);
  const auto diff = archive::diff(*sys::open_directory(*snapshots_->layer_directory("done")));
  EXPECT_EQ(made->diff_id, diff->diff_id);
}

TEST_F(ImageTest, LayersGiveTheirExactTars) {
  const auto tar_again = [&](const Layer& layer) {
    const sys::Fd out = *sys::open_file(base_ + "/out.tar", O_RDWR | O_CREAT | O_TRUNC);
    const auto written = store_->write_layer(layer, out);
    EXPECT_TRUE(written.ok()) << written.error().message();
    return *sys::read_file(base_ + "/out.tar");
  };
  // Ours ends the archive with two blocks of zeros; this one ends it otherwise.
  (void)tar_of("file", "content");
  std::ofstream(base_ + "/layer.tar", std::ios::binary | std::ios::app) << std::string(8192, '\0');
  const std::string foreign = *sys::read_file(base_ + "/layer.tar");
  const auto imported = *store_->import_layer(*sys::open_file(base_ + "/layer.tar", O_RDONLY), "");
  EXPECT_TRUE(tar_again(imported) == foreign);
  EXPECT_EQ(*store_->layer_tar_bytes(imported), foreign.size());

  ASSERT_TRUE(snapshots_->prepare("work", "").ok());
  std::ofstream(*snapshots_->layer_directory("work") + "/file") << "content";
  Layer own = *store_->commit_layer("work", "done");
  EXPECT_EQ(spec::Digest::of(tar_again(own)), own.diff_id);
  const std::uint64_t size = own.tar_bytes;
  own.tar_bytes = 0;  // of an earlier release
  EXPECT_EQ(*store_->layer_tar_bytes(own), size);

  for (const Layer& layer : {imported, own}) {
    std::ofstream(*snapshots_->layer_directory(layer.snapshot) + "/file") << "Content";
    const auto written = store_->write_layer(layer, *sys::open_file("/dev/null", O_WRONLY));
    ASSERT_FALSE(written.ok());
    EXPECT_EQ(written.error().kind(), Kind::DataLoss);
    EXPECT_TRUE(written.error().message().starts_with("layer " + layer.diff_id.to_string() + " is damaged"));
  }
}

TEST_F(ImageTest, ARecipeGoesWithItsLayer) {
  const Layer made = layer("content");
  const std::string recipe = *snapshots_->note(made.snapshot, "recipe");
  EXPECT_TRUE(sys::exists(recipe));
  ASSERT_TRUE(snapshots_->remove(made.snapshot).ok());
  EXPECT_FALSE(sys::exists(recipe));
}

TEST_F(ImageTest, ARootFileSystemBecomesAnImage) {
  spec::oci::Image config;
  config.platform = spec::Platform::host();
  config.config.cmd = {"bash"};
  spec::oci::History history;
  history.comment = "import";
  const auto name = *spec::Reference::parse("base:v1");
  auto first = import_rootfs(*store_, tar_of("etc/hosts", "x"), config, history, name);
  ASSERT_TRUE(first.ok()) << first.error().message();
  EXPECT_EQ(first->tags, (std::vector<std::string>{"base:v1"}));
  auto again = import_rootfs(*store_, tar_of("etc/hosts", "x"), config, history, {});
  EXPECT_EQ(again->id, first->id);
  EXPECT_EQ(snapshots_->list()->size(), 1u);
}

TEST_F(ImageTest, AnImageWithADamagedConfigKeepsItsPlace) {
  const Image bad = image({layer("one")}, "bad");
  const Image good = image({layer("two")}, "good");
  tag(bad, "bad:v1");
  const std::string config = *content_->read(bad.id);
  std::ofstream(base_ + "/content/blobs/sha256/" + std::string(bad.id.hex())) << "{}";
  restart();
  const auto refused = store_->resolve("bad:v1");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind(), Kind::DataLoss);
  EXPECT_TRUE(refused.error().message().starts_with("image bad:v1 is damaged: blob " + bad.id.to_string()));
  EXPECT_EQ(*store_->id_of("bad:v1"), bad.id);
  EXPECT_TRUE(store_->resolve(good.id.to_string()).ok());
  ASSERT_EQ(store_->list()->size(), 2u);
  EXPECT_TRUE(snapshots_->info(bad.layers[0].snapshot).ok()) << "its layer is not given up";

  ASSERT_TRUE(store_->create_from(config, bad.layers, "").ok());
  EXPECT_EQ(store_->resolve("bad:v1")->config.author, "bad");
  std::ofstream(base_ + "/content/blobs/sha256/" + std::string(bad.id.hex())) << "{}";
  restart();
  EXPECT_EQ(lines("bad:v1").size(), 3u);  // it can go: the name, the image, the layer
}

TEST_F(ImageTest, ADamagedLayerIsTakenFromTheSameImageMadeOnceMore) {
  const Layer lower = layer("lower");
  const Layer upper = layer("upper", lower.snapshot);
  const Image made = image({lower, upper});
  ASSERT_TRUE(snapshots_->prepare("container", upper.snapshot).ok());
  std::ofstream(*snapshots_->layer_directory(lower.snapshot) + "/file") << "LOWER";
  ASSERT_TRUE(snapshots_->set_damage(lower.snapshot, "changed").ok());
  const Layer again = layer("lower");
  const Layer above = layer("upper", again.snapshot);
  const std::string config = *content_->read(made.id);
  const auto refused = store_->create_from(config, {again, above}, "");
  EXPECT_EQ(refused.error().kind(), Kind::Conflict) << "nobody says that the container is still";
  store_->set_while_still([&](const std::string& layer, const auto& work) {
    EXPECT_EQ(layer, lower.snapshot);
    return work({"container"});
  });
  const auto healed = store_->create_from(config, {again, above}, "");
  ASSERT_TRUE(healed.ok()) << healed.error().message();
  EXPECT_EQ(healed->snapshot, upper.snapshot);
  EXPECT_EQ(*sys::read_file(*snapshots_->layer_directory(lower.snapshot) + "/file"), "lower");
  EXPECT_TRUE(snapshots_->sound(lower.snapshot).ok());
  EXPECT_EQ(*sys::read_file(*snapshots_->layer_directory(again.snapshot) + "/file"), "lower");
  EXPECT_EQ(snapshots_->list()->size(), 5u);
}

TEST_F(ImageTest, BlobsThatNoRecordNamesGoAtTheNextStart) {
  const Image made = image({layer("one")});
  const auto stray = *content_->put("a manifest whose image did not come to be");
  const auto manifest = *content_->put("a manifest");
  const auto name = *spec::Reference::parse("x@" + manifest.to_string());
  ASSERT_TRUE(store_->add_digest(made.id, name, {manifest}).ok());
  restart();
  EXPECT_FALSE(content_->contains(stray));
  EXPECT_TRUE(content_->contains(manifest));
  EXPECT_TRUE(store_->resolve(made.id.to_string()).ok());
}

}  // namespace
}  // namespace skiff::image
