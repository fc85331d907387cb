#include <fcntl.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "archive/tar_reader.h"
#include "archive/tar_writer.h"
#include "image/load.h"
#include "image/save.h"
#include "sys/file.h"
#include "sys/spawn.h"

namespace skiff::image {
namespace {

namespace fs = std::filesystem;

/// One engine's stores.
struct Stores {
  explicit Stores(const std::string& base)
      : root(base),
        database(std::move(*meta::Database::open(base + "/meta.db"))),
        content(std::move(*content::Store::open(base + "/content"))),
        snapshots(std::move(*snapshot::Store::open(base + "/snapshots", *database))),
        images(std::move(*Store::open(*content, *snapshots, *database))) {}
  std::string root;
  std::unique_ptr<meta::Database> database;
  std::unique_ptr<content::Store> content;
  std::unique_ptr<snapshot::Store> snapshots;
  std::unique_ptr<Store> images;
};

class ArchiveTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "skiff-archive-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    base_ = name;
    for (const char* side : {"/a", "/b"}) fs::create_directory(base_ + side);
    here_ = std::make_unique<Stores>(base_ + "/a");
    there_ = std::make_unique<Stores>(base_ + "/b");
  }
  void TearDown() override {
    here_.reset();
    there_.reset();
    fs::remove_all(base_);
  }

  static std::string tar_of(const std::map<std::string, std::string>& files) {
    std::string bytes;
    archive::TarWriter tar([&](std::string_view piece) -> Result<void> {
      bytes += piece;
      return {};
    });
    for (const auto& [name, data] : files) {
      archive::Entry entry;
      entry.path = name;
      entry.mode = 0644;
      entry.size = data.size();
      EXPECT_TRUE(tar.header(entry).ok() && tar.data(data).ok());
    }
    EXPECT_TRUE(tar.finish().ok());
    return bytes;
  }
  sys::Fd file_of(const std::string& bytes) {
    std::ofstream(base_ + "/file.tar", std::ios::binary | std::ios::trunc) << bytes;
    return *sys::open_file(base_ + "/file.tar", O_RDONLY);
  }
  Layer layer(Stores& stores, const std::string& text, const std::string& parent = "") {
    return *stores.images->import_layer(file_of(tar_of({{"file", text}})), parent);
  }
  Image image(Stores& stores, const std::vector<std::string>& texts, const std::vector<std::string>& names) {
    spec::oci::Image config;
    config.platform = spec::Platform::host();
    std::vector<Layer> layers;
    for (const auto& text : texts) {
      layers.push_back(layer(stores, text, layers.empty() ? "" : layers.back().snapshot));
      config.rootfs.diff_ids.push_back(layers.back().diff_id);
    }
    const auto made = *stores.images->create(config, layers, "");
    for (const auto& name : names)
      EXPECT_TRUE(stores.images->tag(made.id, *spec::Reference::parse(name)).ok());
    return *stores.images->resolve(made.id.to_string());
  }
  std::string saved(Stores& stores, const std::vector<std::string>& names) {
    const auto chosen = choose_saved(*stores.images, names, {});
    EXPECT_TRUE(chosen.ok()) << chosen.error().message();
    const std::string path = base_ + "/saved.tar";
    EXPECT_TRUE(save(*stores.images, *chosen, *sys::open_file(path, O_WRONLY | O_CREAT | O_TRUNC)).ok());
    return *sys::read_file(path);
  }
  /// What a load said, or why it failed.
  std::string loaded(Stores& stores, const std::string& bytes,
                     const std::optional<spec::Platform>& platform = {}) {
    std::string said;
    LoadListener listener;
    listener.unpacked = [&](const Layer&, const std::string&) { said += "layer\n"; };
    listener.renamed = [&](const spec::Reference& name, const spec::Digest&) {
      said += "renamed " + name.familiar() + "\n";
    };
    listener.loaded = [&](const Image& one, const std::optional<spec::Reference>& name) {
      said += (name ? name->familiar() : std::string(one.id.short_hex())) + "\n";
    };
    const auto done = load(*stores.images, file_of(bytes), platform, listener);
    return done.ok() ? said : done.error().message();
  }
  static std::map<std::string, std::string> files_in(const std::string& bytes) {
    std::map<std::string, std::string> files;
    auto source = archive::memory_source(bytes);
    archive::TarReader tar(*source);
    archive::Entry entry;
    while (*tar.next(entry)) {
      std::string& text = files[entry.path];
      std::int64_t offset = 0;
      for (auto piece = tar.data(offset); !piece->empty(); piece = tar.data(offset)) text += *piece;
    }
    return files;
  }
  std::size_t left(Stores& stores) {
    std::size_t count = stores.snapshots->list()->size() + stores.images->list()->size();
    const auto folders = *sys::list_directory(stores.root + "/snapshots");
    for (const auto& name : folders)
      if (name.starts_with("scratch-")) ++count;
    return count;
  }

  std::string base_;
  std::unique_ptr<Stores> here_, there_;
};

TEST_F(ArchiveTest, WhatIsSavedIsLoadedWithTheSameId) {
  const Image made = image(*here_, {"one", "two"}, {"x:1", "localhost:5000/y:2"});
  const std::string bytes = saved(*here_, {"x:1", "localhost:5000/y:2"});
  EXPECT_EQ(loaded(*there_, bytes), "layer\nlayer\nx:1\nlocalhost:5000/y:2\n");
  const auto got = there_->images->resolve("x:1");
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->id, made.id);
  EXPECT_EQ(got->tags, made.tags);
  EXPECT_EQ(got->size, made.size);
  EXPECT_EQ(*sys::read_file(*there_->snapshots->layer_directory(got->snapshot) + "/file"), "two");
  // And what was loaded is saved as the same bytes.
  EXPECT_TRUE(saved(*there_, {"x:1", "localhost:5000/y:2"}) == bytes);
  EXPECT_EQ(loaded(*there_, bytes), "x:1\nlocalhost:5000/y:2\n");
}

TEST_F(ArchiveTest, TheLayoutIsOcisAndDockers) {
  const Image made = image(*here_, {"one"}, {"x:1"});
  const auto files = files_in(saved(*here_, {"x"}));
  EXPECT_EQ(files.at("oci-layout"), R"({"imageLayoutVersion": "1.0.0"})");
  const std::string layer = made.layers[0].diff_id.to_string().substr(7);
  EXPECT_EQ(files.at("repositories"), R"({"x":{"1":")" + layer + "\"}}\n");
  const auto index = *json::decode<spec::oci::Index>(files.at("index.json"));
  ASSERT_EQ(index.manifests.size(), 1u);
  EXPECT_EQ(index.manifests[0].annotations.at("io.containerd.image.name"), "docker.io/library/x:1");
  EXPECT_EQ(index.manifests[0].annotations.at("org.opencontainers.image.ref.name"), "1");
  for (const auto& [name, text] : files)
    if (name.starts_with("blobs/sha256/") && !name.ends_with('/')) {
      EXPECT_EQ(spec::Digest::of(text).to_string(), "sha256:" + name.substr(13)) << name;
    }
  // Without manifest.json it is a plain OCI layout.
  auto plain = files;
  plain.erase("manifest.json");
  plain.erase("blobs/");
  plain.erase("blobs/sha256/");
  EXPECT_EQ(loaded(*there_, tar_of(plain)), "layer\nx:1\n");
  EXPECT_EQ(there_->images->resolve("x:1")->id, made.id);
}

TEST_F(ArchiveTest, NamesAndIds) {
  const Image made = image(*here_, {"one"}, {"x:1", "x:2", "z:1"});
  const auto names = [&](const std::vector<std::string>& asked) {
    std::string text;
    const auto chosen = *choose_saved(*here_->images, asked, {});
    for (const auto& one : chosen)
      for (const auto& name : one.names) text += name.familiar() + " ";
    return text;
  };
  EXPECT_EQ(names({"x"}), "x:1 x:2 ");
  EXPECT_EQ(names({"x:2", "z:1", "x:2"}), "x:2 z:1 ");
  EXPECT_EQ(names({made.id.to_string()}), "");
  const std::string by_id = saved(*here_, {std::string(made.id.short_hex())});
  EXPECT_FALSE(files_in(by_id).contains("repositories"));
  EXPECT_EQ(loaded(*there_, by_id), "layer\n" + std::string(made.id.short_hex()) + "\n");
  EXPECT_EQ(choose_saved(*here_->images, {"no"}, {}).error().message(), "No such image: no");
  EXPECT_EQ(choose_saved(*here_->images, {"x"}, *spec::Platform::parse("linux/s390x")).error().message(),
            "no suitable export target found for platform linux/s390x");
}

TEST_F(ArchiveTest, ANameThatMovesIsSaid) {
  (void)image(*here_, {"one"}, {"x:1"});
  (void)image(*there_, {"other"}, {"x:1"});
  EXPECT_EQ(loaded(*there_, saved(*here_, {"x"})), "layer\nrenamed x:1\nx:1\n");
}

TEST_F(ArchiveTest, LayersThatAreThereAreNotReadAgain) {
  (void)image(*there_, {"one"}, {"base:1"});
  (void)image(*here_, {"one", "two"}, {"x:1"});
  EXPECT_EQ(loaded(*there_, saved(*here_, {"x"})), "layer\nx:1\n");
  EXPECT_EQ(there_->snapshots->list()->size(), 2u);
  // The same tar on another parent is another snapshot.
  (void)image(*here_, {"zero", "one"}, {"y:1"});
  const std::string bytes = saved(*here_, {"y"});
  EXPECT_EQ(loaded(*there_, bytes), "layer\nlayer\ny:1\n");
  EXPECT_TRUE(saved(*there_, {"y"}) == bytes);
}

TEST_F(ArchiveTest, WhatALoadNeedsStaysUntilItHasItsName) {
  const Image base = image(*there_, {"one"}, {"base:1"});
  (void)image(*here_, {"one", "two"}, {"x:1"});
  (void)image(*here_, {"three"}, {"y:1"});
  const std::string bytes = saved(*here_, {"x", "y"});
  std::vector<spec::Digest> ids;
  LoadListener listener;
  listener.found = [&](const spec::Digest& id, bool) -> Result<void> {
    ids.push_back(id);
    // The layer that the archive left to us loses its image.
    const auto removed = there_->images->remove(base.id.to_string(), true, true, {});
    EXPECT_EQ(removed.ok(), ids.size() == 1);
    return {};
  };
  listener.loaded = [&](const Image&, const std::optional<spec::Reference>&) {
    for (const auto& id : ids) EXPECT_EQ(there_->images->evict(id, now(), {}).error().kind(), Kind::Conflict);
  };
  const auto done = load(*there_->images, file_of(bytes), {}, listener);
  ASSERT_TRUE(done.ok()) << done.error().message();
  EXPECT_TRUE(saved(*there_, {"x", "y"}) == bytes);
  for (const auto& id : ids) EXPECT_TRUE(there_->images->evict(id, now(), {}).ok());
  EXPECT_EQ(left(*there_), 0u);
}

TEST_F(ArchiveTest, ALoadThatFailsLeavesToOthersWhatTheyTook) {
  (void)image(*here_, {"one", "two"}, {"x:1"});
  (void)image(*here_, {"three"}, {"y:1"});
  std::optional<spec::Digest> first;
  LoadListener listener;
  listener.found = [&](const spec::Digest& id, bool) -> Result<void> {
    if (std::exchange(first, first.value_or(id)) == std::nullopt) return {};
    return Error(Kind::Forbidden, "no");
  };
  ASSERT_FALSE(load(*there_->images, file_of(saved(*here_, {"x", "y"})), {}, listener).ok());
  EXPECT_EQ(left(*there_), 0u);
  first.reset();
  listener.unpacked = [&](const Layer&, const std::string& entry) {
    if (!first || !there_->images->list()->front().tags.empty()) return;
    EXPECT_TRUE(there_->images->tag(*first, *spec::Reference::parse("mine:1")).ok()) << entry;
  };
  ASSERT_FALSE(load(*there_->images, file_of(saved(*here_, {"x", "y"})), {}, listener).ok());
  EXPECT_EQ(left(*there_), 3u) << "two layers and their image";
  EXPECT_TRUE(there_->images->resolve("mine:1").ok());
}

TEST_F(ArchiveTest, ALayerTwiceInOneImage) {
  (void)image(*here_, {"one", "two", "one"}, {"x:1"});
  const std::string bytes = saved(*here_, {"x"});
  EXPECT_EQ(loaded(*there_, bytes), "layer\nlayer\nlayer\nx:1\n");
  EXPECT_TRUE(saved(*there_, {"x"}) == bytes);
}

TEST_F(ArchiveTest, OldArchivesWithFoldersAndLinks) {
  const Image made = image(*here_, {"one", "two", "one"}, {});
  const std::string config = *here_->content->read(made.id);
  std::string bytes;
  archive::TarWriter tar([&](std::string_view piece) -> Result<void> {
    bytes += piece;
    return {};
  });
  const auto add = [&](const std::string& name, const std::string& data) {
    archive::Entry entry;
    entry.path = name;
    entry.size = data.size();
    EXPECT_TRUE(tar.header(entry).ok() && tar.data(data).ok());
  };
  add("aa/VERSION", "1.0");
  add("aa/json", "{}");
  add("aa/layer.tar", tar_of({{"file", "one"}}));
  add("bb/layer.tar", tar_of({{"file", "two"}}));
  archive::Entry link;
  link.path = "cc/layer.tar";
  link.type = archive::Entry::Type::Symlink;
  link.link = "../aa/layer.tar";
  ASSERT_TRUE(tar.header(link).ok());
  add("config.json", config);
  add("manifest.json", R"([{"Config":"config.json","RepoTags":["old:1"],
      "Layers":["aa/layer.tar","bb/layer.tar","cc/layer.tar"]}])");
  ASSERT_TRUE(tar.finish().ok());
  EXPECT_EQ(loaded(*there_, bytes), "layer\nlayer\nlayer\nold:1\n");
  EXPECT_EQ(there_->images->resolve("old:1")->id, made.id);
}

TEST_F(ArchiveTest, CompressedArchivesAndLayers) {
  const Image made = image(*here_, {"one"}, {"x:1"});
  auto files = files_in(saved(*here_, {"x"}));
  files.erase("blobs/");
  files.erase("blobs/sha256/");
  const auto compressed = [&](const char* program, const std::string& bytes) {
    sys::SpawnOptions options;
    options.program = program;
    options.search_path = true;
    options.arguments = {program, "-c", base_ + "/plain"};
    std::ofstream(base_ + "/plain", std::ios::binary | std::ios::trunc) << bytes;
    return sys::run(std::move(options))->standard_output;
  };
  std::string& layer = files.at("blobs/sha256/" + std::string(made.layers[0].diff_id.hex()));
  layer = compressed("gzip", layer);
  EXPECT_EQ(loaded(*there_, compressed("gzip", tar_of(files))), "layer\nx:1\n");
}

TEST_F(ArchiveTest, HostileArchivesAreRefusedAndLeaveNothing) {
  const Image made = image(*here_, {"one", "two"}, {"x:1"});
  const auto good = [&] {
    auto files = files_in(saved(*here_, {"x"}));
    files.erase("blobs/");
    files.erase("blobs/sha256/");
    return files;
  };
  const std::string top = "blobs/sha256/" + std::string(made.layers[1].diff_id.hex());
  const std::string bottom = "blobs/sha256/" + std::string(made.layers[0].diff_id.hex());
  const auto refused = [&](const std::map<std::string, std::string>& files) {
    const std::string why = loaded(*there_, tar_of(files));
    EXPECT_EQ(left(*there_), 0u) << why;
    return why;
  };
  auto files = good();
  files[top] = tar_of({{"../escape", "x"}});
  EXPECT_EQ(refused(files), "layer \"" + top +
                                "\": archive entry \"../escape\": the path \"../escape\" leads out of the "
                                "archive's tree");
  files = good();
  std::swap(files[top], files[bottom]);
  EXPECT_TRUE(refused(files).starts_with("layer \"" + bottom + "\": its diff id is "));
  files = good();
  files.erase(top);
  EXPECT_EQ(refused(files), "invalid archive: it has no layer \"" + top + "\"");
  files = good();
  files[top] = "no tar";
  EXPECT_EQ(refused(files), "invalid archive: it has no layer \"" + top + "\"");
  files = good();
  files["manifest.json"] = "[{\"Config\":\"/etc/passwd\"}]";
  EXPECT_EQ(refused(files), "invalid archive: it has no file \"/etc/passwd\"");
  files["manifest.json"] = "{";
  EXPECT_TRUE(refused(files).starts_with("manifest.json: invalid JSON"));
  EXPECT_TRUE(refused({}).starts_with("invalid archive: neither manifest.json nor index.json"));
  // The second image is bad: the first goes as well.
  files = good();
  std::string& manifests = files["manifest.json"];
  manifests = manifests.substr(0, manifests.rfind(']')) + R"(,{"Config":"none","Layers":[]}])";
  EXPECT_EQ(refused(files), "invalid archive: it has no file \"none\"");
}

TEST_F(ArchiveTest, TruncatedAndDamagedArchives) {
  (void)image(*here_, {"one"}, {"x:1"});
  const std::string good = saved(*here_, {"x"});
  const auto last = good.find("index.json");
  for (std::size_t size = 0; size < last; size += 1021) {
    const std::string why = loaded(*there_, good.substr(0, size));
    EXPECT_TRUE(why.find("x:1") == std::string::npos) << size;
    EXPECT_EQ(left(*there_), 0u) << size << ": " << why;
  }
  for (std::size_t i = 0; i < good.size(); i += 331) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    (void)loaded(*there_, bad);
    // What was loaded all the same is the image itself: the damage was somewhere that says nothing.
    const auto images = *there_->images->list();
    for (const Image& got : images) {
      if (got.tags == std::vector<std::string>{"x:1"}) {
        EXPECT_TRUE(saved(*there_, {"x:1"}) == good) << i;
      }
      EXPECT_TRUE(there_->images->remove(got.id.to_string(), true, false, {}).ok());
    }
    EXPECT_EQ(left(*there_), 0u) << i;
  }
}

TEST_F(ArchiveTest, PlatformsAreChosen) {
  const Image made = image(*here_, {"one"}, {"x:1"});
  const std::string bytes = saved(*here_, {"x"});
  EXPECT_EQ(loaded(*there_, bytes, *spec::Platform::parse("linux/s390x")),
            "the image is for " + spec::Platform::host().to_string() + ", and linux/s390x is wanted");
  EXPECT_EQ(left(*there_), 0u);
  // An index of two platforms, as a layout has it.
  auto files = files_in(bytes);
  for (const char* name : {"blobs/", "blobs/sha256/", "manifest.json", "repositories"}) files.erase(name);
  auto index = *json::decode<spec::oci::Index>(files["index.json"]);
  index.manifests[0].annotations.clear();
  index.manifests[0].platform = spec::Platform::host();
  auto other = index.manifests[0];
  other.digest = spec::Digest::of("another platform's, which is not in the archive");
  other.platform = spec::Platform{"s390x", "linux", ""};
  index.manifests.insert(index.manifests.begin(), other);
  const std::string inner = json::encode(index);
  files["blobs/sha256/" + std::string(spec::Digest::of(inner).hex())] = inner;
  spec::oci::Index outer;
  outer.manifests.resize(1);
  outer.manifests[0].media_type = spec::oci::kMediaTypeIndex;
  outer.manifests[0].digest = spec::Digest::of(inner);
  outer.manifests[0].annotations["io.containerd.image.name"] = "docker.io/library/multi:1";
  files["index.json"] = json::encode(outer);
  EXPECT_EQ(loaded(*there_, tar_of(files)), "layer\nmulti:1\n");
  EXPECT_EQ(there_->images->resolve("multi:1")->id, made.id);
  EXPECT_TRUE(loaded(*there_, tar_of(files), *spec::Platform::parse("linux/riscv64"))
                  .starts_with("no image for linux/riscv64 in the archive, only for linux/s390x, "));
}

}  // namespace
}  // namespace skiff::image
