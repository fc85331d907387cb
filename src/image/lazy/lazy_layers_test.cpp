#include "image/lazy/lazy_layers.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <zstd.h>

#include <gtest/gtest.h>

#include <filesystem>

#include "archive/estargz.h"
#include "archive/testing_test.h"
#include "image/check.h"
#include "image/lazy/contents_fetch.h"
#include "image/stores_test.h"
#include "snapshot/served.h"
#include "sys/file.h"

namespace skiff::image {
namespace {

namespace fs = std::filesystem;
using registry::testing::FakeRegistry;

constexpr const char* kPosition = "io.github.containers.zstd-chunked.manifest-position";
constexpr const char* kChecksum = "io.github.containers.zstd-chunked.manifest-checksum";

class Silence final : public Progress {
 public:
  void line(spec::docker::ProgressLine) override {}
};

std::string frame(std::string_view text) {
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 1));
  return packed;
}

/// A zstd:chunked layer with one file in it.
PackedLayer layer_with(const std::string& name, const std::string& data) {
  const std::string tar = tar_with(name, data);
  PackedLayer made;
  made.diff_id = spec::Digest::of(tar);
  const auto at = tar.find(data);
  made.blob = frame(tar.substr(0, at));
  const auto begin = made.blob.size();
  made.blob += frame(data);
  const auto end = made.blob.size();
  made.blob += frame(tar.substr(at + data.size()));
  const std::string table = frame(fmt::format(
      R"({{"version":1,"entries":[{{"type":"reg","name":"{}","mode":420,"size":{},"digest":"{}","offset":{},"endOffset":{}}}]}})",
      name, data.size(), spec::Digest::of(data).to_string(), begin, end));
  // A skippable frame, as the reader of the whole layer sees it.
  made.blob += std::string("\x50\x2a\x4d\x18", 4);
  const auto size = static_cast<std::uint32_t>(table.size());
  for (int i = 0; i < 4; ++i) made.blob.push_back(static_cast<char>(size >> (8 * i)));
  made.annotations[kPosition] = fmt::format("{}:{}:1000:1", made.blob.size(), table.size());
  made.annotations[kChecksum] = spec::Digest::of(table).to_string();
  made.blob += table;
  return made;
}

/// An eStargz layer with one file in it.
PackedLayer estargz_with(const std::string& name, const std::string& data) {
  const auto member = [](const std::string& text) { return archive::testing::gzip(text); };
  const std::string tar = tar_with(name, data);
  const auto at = tar.find(data);
  PackedLayer made;
  made.blob = member(tar.substr(0, at));
  const auto begin = made.blob.size();
  const auto padded = (data.size() + 511) / 512 * 512;
  made.blob += member(tar.substr(at, padded));
  const auto end = made.blob.size();
  const auto digest = spec::Digest::of(data).to_string();
  const std::string table = fmt::format(
      R"({{"version":1,"entries":[{{"type":"reg","name":"{}","mode":420,"size":{},"digest":"{}","offset":{},"chunkDigest":"{}"}}]}})",
      name, data.size(), digest, begin, digest);
  const std::string table_tar = tar_with("stargz.index.json", table);
  made.blob += member(table_tar);
  const std::string whole = tar.substr(0, at + padded) + table_tar;
  made.diff_id = spec::Digest::of(whole);
  made.annotations["containerd.io/snapshot/stargz/toc.digest"] = spec::Digest::of(table).to_string();
  using namespace std::string_literals;
  made.blob += "\x1f\x8b\x08\x04\0\0\0\0\0\xff\x1a\0SG\x16\0"s + fmt::format("{:016x}", end) +
               "STARGZ\x01\0\0\xff\xff\0\0\0\0\0\0\0\0"s;
  return made;
}

class LazyLayersTest : public StoresTest {
 protected:
  void SetUp() override {
    StoresTest::SetUp();
    settings_.attempts = 1;
    open();
    if (!LazyLayers::possible()) GTEST_SKIP() << "there is no /dev/fuse";
  }
  void TearDown() override {
    close();
    StoresTest::TearDown();
  }
  void close() {
    puller_.reset();
    lazy_.reset();
    close_stores();
  }
  void open(bool background = false) {
    close();
    open_stores("");
    lazy_ = std::make_unique<LazyLayers>(*store_, *ledger_, settings_, background);
    puller_ = Puller::create(*store_, *ledger_, *trust_, settings_, lazy_.get());
  }
  void publish(const std::vector<PackedLayer>& layers) {
    publish_layers("app", "v1", layers, spec::oci::kMediaTypeLayerZstd);
  }
  Image pull(bool lazy = true) {
    PullRequest request{*spec::Reference::parse(registry_.name("app:v1")), {}, {}};
    request.lazy = lazy;
    request.credentials = credentials_;
    Silence words;
    const auto pulled = puller_->pull(request, words, {});
    EXPECT_TRUE(pulled.ok()) << pulled.error().message();
    return *store_->resolve(registry_.name("app:v1"));
  }
  snapshot::Info info(const Image& image, std::size_t layer) {
    return *snapshots_->info(image.layers[layer].snapshot);
  }
  static std::string served_file(const snapshot::Info& layer, const std::string& name) {
    return sys::read_file(layer.directory + "/" + snapshot::kServedPlace + "/" + name).value_or("-");
  }

  registry::Credentials credentials_;
  std::unique_ptr<LazyLayers> lazy_;
  std::unique_ptr<Puller> puller_;
};

TEST_F(LazyLayersTest, ALayerIsServedAndThenWhole) {
  const auto below = layer_with("a", "lower");
  const auto above = layer_with("b", "upper");
  publish({below, above});
  const auto image = pull();
  EXPECT_EQ(image.size, 10u);
  for (const std::size_t layer : {0, 1}) EXPECT_TRUE(info(image, layer).served);
  EXPECT_EQ(served_file(info(image, 0), "a"), "lower");
  EXPECT_EQ(served_file(info(image, 1), "b"), "upper");
  const auto chains = spec::oci::chain_ids({below.diff_id, above.diff_id});
  EXPECT_FALSE(*snapshots_->find_chain(chains[0]));
  EXPECT_TRUE(ledger_->blobs_of(below.diff_id)->empty()) << "nobody has compared it";

  ASSERT_TRUE(store_->make_whole(image.layers[1].snapshot).ok());
  EXPECT_FALSE(info(image, 0).served);
  EXPECT_EQ(*sys::read_file(*snapshots_->layer_directory(image.layers[1].snapshot) + "/b"), "upper");
  EXPECT_TRUE(*snapshots_->find_chain(chains[1]));
  EXPECT_EQ(ledger_->blobs_of(below.diff_id)->size(), 1u);
  const sys::Fd nowhere = *sys::open_file("/dev/null", O_WRONLY);
  for (const auto& layer : image.layers) EXPECT_TRUE(store_->write_layer(layer, nowhere).ok());
}

TEST_F(LazyLayersTest, EstargzIsServedAndThenWhole) {
  publish_layers("app", "v1", {estargz_with("a", std::string(3000, 'x') + "end")},
                 spec::oci::kMediaTypeLayerGzip);
  const auto image = pull();
  ASSERT_TRUE(info(image, 0).served);
  ASSERT_TRUE(lazy_->serve({info(image, 0).directory}).ok());
  EXPECT_EQ(served_file(info(image, 0), "a"), std::string(3000, 'x') + "end");
  const auto table = served_file(info(image, 0), "stargz.index.json");
  EXPECT_TRUE(table.starts_with("{\"version\":1")) << table;
  ASSERT_TRUE(lazy_->make_whole(image.layers[0].snapshot).ok());
  EXPECT_FALSE(info(image, 0).served);
  EXPECT_EQ(sys::read_file(info(image, 0).directory + "/fs/stargz.index.json").value(), table);
}

TEST_F(LazyLayersTest, EstargzWhoseTableNobodyVouchesForIsPulledWhole) {
  auto layer = estargz_with("a", "data");
  layer.annotations["containerd.io/snapshot/stargz/toc.digest"] = spec::Digest::of("another").to_string();
  publish_layers("app", "v1", {layer}, spec::oci::kMediaTypeLayerGzip);
  EXPECT_FALSE(info(pull(), 0).served);
  auto damaged = estargz_with("b", "data");
  damaged.blob[damaged.blob.size() - archive::kEstargzFooter + 20] = 'x';  // where the table is said to be
  publish_layers("app", "v1", {damaged}, spec::oci::kMediaTypeLayerGzip);
  EXPECT_FALSE(info(pull(), 0).served);
}

TEST_F(LazyLayersTest, AnotherEngineServesAnew) {
  publish({layer_with("a", "contents")});
  pull();
  open();
  const auto image = *store_->resolve(registry_.name("app:v1"));
  EXPECT_EQ(served_file(info(image, 0), "a"), "-");
  ASSERT_TRUE(snapshots_->prepare("c", image.snapshot).ok());
  EXPECT_EQ(served_file(info(image, 0), "a"), "contents");
  EXPECT_EQ(pull(false).id, image.id);
  EXPECT_FALSE(info(image, 0).served);
}

TEST_F(LazyLayersTest, ALayerThatHoldsAnotherIsDamaged) {
  auto layer = layer_with("a", "contents");
  layer.diff_id = spec::Digest::of("another");
  publish({layer});
  const auto image = pull();
  const auto whole = store_->make_whole(image.snapshot);
  ASSERT_FALSE(whole.ok());
  EXPECT_EQ(whole.error().kind(), Kind::DataLoss);
  EXPECT_EQ(snapshots_->sound(image.snapshot).error().kind(), Kind::DataLoss);
  EXPECT_EQ(snapshots_->prepare("c", image.snapshot).error().kind(), Kind::DataLoss);
  EXPECT_FALSE(*snapshots_->find_chain(layer.diff_id));
  Silence words;
  const auto checked = check(*store_, *database_, words, {});
  ASSERT_TRUE(checked.ok()) << checked.error().message();
  ASSERT_EQ(checked->findings.size(), 1u);
  EXPECT_EQ(checked->findings[0].snapshot, image.snapshot);
  EXPECT_EQ(checked->findings[0].damage.id, layer.diff_id.to_string());
  EXPECT_EQ(checked->findings[0].damage.problem, whole.error().message());
}

TEST_F(LazyLayersTest, WrongBytesOnTheWayAreNoDamage) {
  publish({layer_with("a", "contents")});
  const auto image = pull();
  registry_.intercept = [](http::Exchange& http) {
    const auto range = http.fields().get("Range");
    if (!range.starts_with("bytes=")) return false;
    const auto [first, last] = cut(range.substr(6), '-');
    const auto from = *parse_uint(first);
    const auto to = *parse_uint(*last);
    http.answer_fields().add("Content-Range", fmt::format("bytes {}-{}/{}", from, to, to + 1));
    (void)http.send(206, std::string(to - from + 1, 'x'), "application/octet-stream");
    return true;
  };
  EXPECT_EQ(store_->make_whole(image.snapshot).error().kind(), Kind::DataLoss);
  EXPECT_TRUE(snapshots_->sound(image.snapshot).ok());
  PullRequest plain{*spec::Reference::parse(registry_.name("app:v1")), {}, {}};
  Silence words;
  EXPECT_FALSE(puller_->pull(plain, words, {}).ok()) << "it is not here";
  registry_.intercept = {};
  const auto whole = store_->make_whole(image.snapshot);
  EXPECT_TRUE(whole.ok()) << whole.error().message();
}

TEST_F(LazyLayersTest, CredentialsAreForTheirRepositoryAlone) {
  publish({layer_with("a", "contents")});
  const auto image = pull();
  const std::string directory = info(image, 0).directory;
  auto wanted = *lazy::read_note(directory);
  wanted.repository = "registry.example/app";
  wanted.credentials = {"user", "of another", "", ""};
  ASSERT_TRUE(lazy_->renew(image, wanted).ok());
  EXPECT_TRUE(lazy::read_note(directory)->credentials.empty());
}

TEST_F(LazyLayersTest, APlaceThatWasHandedOutIsReadable) {
  publish({layer_with("a", "contents")});
  const auto image = pull();
  const auto layer = info(image, 0);
  const std::string place = layer.directory + "/" + snapshot::kServedPlace;
  const auto device = [&] {
    struct stat status {};
    EXPECT_EQ(::stat(place.c_str(), &status), 0);
    return status.st_dev;
  };
  const auto first = device();
  pull();
  ASSERT_TRUE(snapshots_->prepare("c1", image.snapshot).ok());
  EXPECT_EQ(device(), first) << "nothing has changed";
  auto wanted = *lazy::read_note(layer.directory);
  wanted.credentials = {"user", "password", "", ""};
  ASSERT_TRUE(lazy_->renew(image, wanted).ok());
  EXPECT_EQ(device(), first) << "until the next one is ready";
  EXPECT_EQ(served_file(layer, "a"), "contents");
  ASSERT_TRUE(snapshots_->prepare("c2", image.snapshot).ok());
  EXPECT_NE(device(), first);
  EXPECT_EQ(served_file(layer, "a"), "contents");
  EXPECT_FALSE(sys::exists(layer.directory + "/" + snapshot::kComingPlace));
}

TEST_F(LazyLayersTest, FilesThatAreAtHandAreNotFetched) {
  publish({layer_with("a", "contents")});
  const auto image = pull();
  ASSERT_TRUE(sys::write_file_atomic(base_ + "/tar", tar_with("a", "contents")).ok());
  const auto load = [&] {
    const sys::Fd tar = *sys::open_file(base_ + "/tar", O_RDONLY);
    const auto layer = store_->import_layer(tar, "");
    ASSERT_TRUE(layer.ok()) << layer.error().message();
    const auto loaded = store_->create_from(*content_->read(image.id), {*layer}, "");
    ASSERT_TRUE(loaded.ok()) << loaded.error().message();
    ASSERT_TRUE(snapshots_->remove(layer->snapshot).ok());
  };
  ASSERT_TRUE(snapshots_->prepare("c", image.snapshot).ok());
  load();
  EXPECT_TRUE(info(image, 0).served) << "somebody uses it";
  ASSERT_TRUE(snapshots_->remove("c").ok());
  registry_.forget_requests();
  load();
  EXPECT_FALSE(info(image, 0).served);
  EXPECT_EQ(*sys::read_file(*snapshots_->layer_directory(image.snapshot) + "/a"), "contents");
  EXPECT_EQ(registry_.count("GET"), 0u);
}

TEST_F(LazyLayersTest, NobodyWaitsWhenItStops) {
  publish({layer_with("a", "contents")});
  const auto image = pull();
  lazy_->stop();
  EXPECT_EQ(store_->make_whole(image.snapshot).error().kind(), Kind::Cancelled);
}

TEST_F(LazyLayersTest, APullKeepsNoDescriptor) {
  const auto ours = [] {
    int count = 0;
    for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
      int type = 0;
      socklen_t size = sizeof type;
      const int fd = std::stoi(entry.path().filename());
      if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET) ++count;
    }
    return count;
  };
  const int before = ours();
  publish({layer_with("a", "contents")});
  const auto image = pull();
  EXPECT_EQ(ours(), before + 1);
  ASSERT_TRUE(
      store_
          ->remove(image.id.to_string(), true, true, [](const spec::Digest&, bool*) { return std::string(); })
          .ok());
  for (int i = 0; i < 600 && ours() > before; ++i) {
    lazy_->wake();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_EQ(ours(), before);
}

TEST_F(LazyLayersTest, WhatCannotBeServedIsPulledWhole) {
  auto plain = layer_with("a", "1");
  plain.annotations.clear();
  auto unsigned_table = layer_with("b", "2");
  unsigned_table.annotations.erase(kChecksum);
  auto forged = layer_with("c", "3");
  forged.annotations[kChecksum] = spec::Digest::of("another").to_string();
  publish({plain, unsigned_table, forged});
  const auto image = pull();
  for (const std::size_t layer : {0, 1, 2}) EXPECT_FALSE(info(image, layer).served) << layer;
  EXPECT_TRUE(*snapshots_->find_chain(*info(image, 2).chain_id));
}

TEST_F(LazyLayersTest, WithoutRangesItIsPulledWhole) {
  registry_.ranges = false;
  publish({layer_with("a", "contents")});
  EXPECT_FALSE(info(pull(), 0).served);
}

TEST_F(LazyLayersTest, WhoPulledIsWhoReads) {
  for (const auto auth : {FakeRegistry::Auth::Basic, FakeRegistry::Auth::Token}) {
    registry_.auth = auth;
    credentials_ = {"user", "password", "", ""};
    publish({layer_with("a", fmt::format("contents {}", static_cast<int>(auth)))});
    const auto image = pull();
    const auto layer = info(image, 0);
    EXPECT_EQ(served_file(layer, "a"), fmt::format("contents {}", static_cast<int>(auth)));
    EXPECT_EQ(fs::status(layer.directory + "/" + lazy::kNote).permissions(), fs::perms(0600));
    // Whoever pulls it again reads it from then on.
    credentials_ = {"user", "another", "", ""};
    auto wanted = *lazy::read_note(layer.directory);
    wanted.credentials = credentials_;
    ASSERT_TRUE(lazy_->renew(image, wanted).ok());
    EXPECT_EQ(lazy::read_note(layer.directory)->credentials.password, "another");
    credentials_ = {"user", "password", "", ""};
    EXPECT_EQ(pull().id, image.id);
    EXPECT_EQ(lazy::read_note(layer.directory)->credentials.password, "password");
    ASSERT_TRUE(store_->make_whole(image.snapshot).ok());
    EXPECT_FALSE(sys::exists(layer.directory + "/" + lazy::kNote));
  }
}

TEST_F(LazyLayersTest, AnImageThatGoesLeavesNothing) {
  publish({layer_with("a", "contents")});
  const auto image = pull();
  const std::string directory = info(image, 0).directory;
  const auto nobody = [](const spec::Digest&, bool*) { return std::string(); };
  ASSERT_TRUE(store_->remove(image.id.to_string(), true, true, nobody).ok());
  EXPECT_FALSE(sys::exists(directory));
  EXPECT_EQ(sys::read_file("/proc/self/mountinfo")->find(base_), std::string::npos);
}

TEST_F(LazyLayersTest, BehindTheScenesAllComes) {
  open(true);
  publish({layer_with("a", "lower"), layer_with("b", "upper")});
  const auto image = pull();
  for (int i = 0; i < 600 && (info(image, 0).served || info(image, 1).served); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(info(image, 0).served);
  EXPECT_FALSE(info(image, 1).served);
}

TEST(ContentsPlaceTest, OnlyWhatTheManifestVouchesForIsFound) {
  spec::oci::Descriptor layer;
  layer.size = 1000;
  layer.annotations[kPosition] = "100:50:400:1";
  EXPECT_FALSE(find_contents(layer));
  layer.annotations[kChecksum] = spec::Digest::of("x").to_string();
  ASSERT_TRUE(find_contents(layer));
  EXPECT_EQ(find_contents(layer)->offset, 100u);
  for (const char* position : {"", "100:50:400", "100:50:400:2", "100:0:400:1", "951:50:400:1", "100:x:1:1",
                               "18446744073709551615:2:1:1", "100:18446744073709551615:1:1"}) {
    layer.annotations[kPosition] = position;
    EXPECT_FALSE(find_contents(layer)) << position;
  }
  layer.annotations[kPosition] = "100:50:400:1";
  layer.annotations[kChecksum] = "md5:00";
  EXPECT_FALSE(find_contents(layer));
  constexpr const char* star = "containerd.io/snapshot/stargz/toc.digest";
  layer.annotations = {{star, spec::Digest::of("x").to_string()}};
  ASSERT_TRUE(find_contents(layer));
  EXPECT_TRUE(find_contents(layer)->estargz);
  layer.annotations[star] = "md5:00";
  EXPECT_FALSE(find_contents(layer));
  layer.annotations[kPosition] = "100:50:400:1";
  layer.annotations[kChecksum] = spec::Digest::of("x").to_string();
  ASSERT_TRUE(find_contents(layer)) << "it may have been eStargz once";
  EXPECT_FALSE(find_contents(layer)->estargz);
}

}  // namespace
}  // namespace skiff::image
