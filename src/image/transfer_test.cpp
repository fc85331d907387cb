#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "archive/compressor.h"
#include "archive/tar_writer.h"
#include "image/check.h"
#include "image/pull.h"
#include "image/push.h"
#include "image/trust/signer_test.h"
#include "registry/testing/fake_registry.h"
#include "sys/file.h"

namespace skiff::image {
namespace {

namespace fs = std::filesystem;
using registry::testing::FakeRegistry;

class Words final : public Progress {
 public:
  void line(spec::docker::ProgressLine line) override {
    const MutexLock lock(mutex_);
    if (line.aux) result = *line.aux;
    if (line.progress_detail && line.progress_detail->total > 0) return;  // bars come when they come
    lines_.push_back(line.id.empty() ? line.status : line.id + ": " + line.status);
  }
  std::vector<std::string> lines() {
    const MutexLock lock(mutex_);
    return lines_;
  }
  bool said(const std::string& text) {
    const auto all = lines();
    return std::find(all.begin(), all.end(), text) != all.end();
  }
  json::Value result;

 private:
  Mutex mutex_;
  std::vector<std::string> lines_ GUARDED_BY(mutex_);
};

struct Tar {
  std::string bytes;
  spec::Digest diff_id;
  std::string gzip;
  spec::Digest digest() const { return spec::Digest::of(gzip); }
};

Tar tar_of(const std::string& name, const std::string& data) {
  Tar made;
  archive::TarWriter tar([&](std::string_view piece) -> Result<void> {
    made.bytes += piece;
    return {};
  });
  archive::Entry entry;
  entry.path = name;
  entry.mode = 0644;
  entry.size = data.size();
  EXPECT_TRUE(tar.header(entry).ok() && tar.data(data).ok() && tar.finish().ok());
  made.diff_id = spec::Digest::of(made.bytes);
  const auto gzip = archive::gzip_compressor(1);
  EXPECT_TRUE(gzip->write(made.bytes, true, made.gzip).ok());
  return made;
}

/// Text that does not compress, so that a blob has several pieces.
std::string noise(std::size_t size, unsigned seed) {
  std::string text(size, '\0');
  for (auto& c : text) c = static_cast<char>((seed = seed * 1664525 + 1013904223) >> 24);
  return text;
}

class TransferTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "skiff-transfer-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    base_ = name;
    settings_.attempts = 2;
    open();
  }
  void TearDown() override {
    close();
    fs::remove_all(base_);
  }
  void close() {
    pusher_.reset();
    puller_.reset();
    trust_.reset();
    ledger_.reset();
    store_.reset();
    snapshots_.reset();
    content_.reset();
    database_.reset();
  }
  void open() {
    close();
    database_ = std::move(*meta::Database::open(base_ + "/meta.db"));
    content_ = std::move(*content::Store::open(base_ + "/content"));
    snapshots_ = std::move(*snapshot::Store::open(base_ + "/snapshots", *database_));
    store_ = std::move(*Store::open(*content_, *snapshots_, *database_));
    ledger_ = std::make_unique<BlobLedger>(*database_);
    trust_ = std::move(*Trust::open(*database_, policy_));
    puller_ = Puller::create(*store_, *ledger_, *trust_, settings_);
    pusher_ = Pusher::create(*store_, *ledger_, trust_->origins(), settings_);
  }

  /// Puts an image into the registry; the manifest's bytes.
  std::string publish(const std::string& repository, const std::string& tag, const std::vector<Tar>& layers,
                      const spec::Platform& platform = spec::Platform::host()) {
    spec::oci::Image config;
    config.platform = platform;
    spec::oci::Manifest manifest;
    manifest.media_type = spec::oci::kMediaTypeManifest;
    for (const auto& layer : layers) {
      config.rootfs.diff_ids.push_back(layer.diff_id);
      auto& blob = manifest.layers.emplace_back();
      blob.media_type = spec::oci::kMediaTypeLayerGzip;
      blob.digest = registry_.put_blob(layer.gzip);
      blob.size = static_cast<std::int64_t>(layer.gzip.size());
    }
    const std::string text = json::encode(config);
    manifest.config.media_type = spec::oci::kMediaTypeConfig;
    manifest.config.digest = registry_.put_blob(text);
    manifest.config.size = static_cast<std::int64_t>(text.size());
    std::string bytes = json::encode(manifest);
    registry_.put_manifest(repository, tag, bytes, spec::oci::kMediaTypeManifest);
    return bytes;
  }
  Result<void> pull(const std::string& name, Words& words, const std::string& platform = "",
                    const std::stop_token& stop = {}) {
    PullRequest request{*spec::Reference::parse(registry_.name(name)), {}, {}};
    if (!platform.empty()) request.platform = *spec::Platform::parse(platform);
    return puller_->pull(request, words, stop);
  }
  std::string pull_failure(const std::string& name) {
    Words words;
    const auto pulled = pull(name, words);
    return pulled.ok() ? "pulled" : pulled.error().message();
  }
  std::size_t partials() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(base_ + "/content/partial"), fs::directory_iterator()));
  }
  void expect_nothing_left() {
    EXPECT_TRUE(store_->list()->empty());
    EXPECT_TRUE(snapshots_->list()->empty());
  }
  std::string file(const Image& image, std::size_t layer, const std::string& name) {
    return *sys::read_file(*snapshots_->layer_directory(image.layers[layer].snapshot) + "/" + name);
  }

  std::string base_;
  registry::Settings settings_ = FakeRegistry::settings();
  FakeRegistry registry_;
  std::unique_ptr<meta::Database> database_;
  std::unique_ptr<content::Store> content_;
  std::unique_ptr<snapshot::Store> snapshots_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<BlobLedger> ledger_;
  std::unique_ptr<Trust> trust_;
  std::string policy_;  ///< a file
  std::unique_ptr<Puller> puller_;
  std::unique_ptr<Pusher> pusher_;
};

TEST_F(TransferTest, AnImageIsPulledWhole) {
  const Tar lower = tar_of("a", "one");
  const Tar upper = tar_of("b", "two");
  const auto digest = spec::Digest::of(publish("app", "v1", {lower, upper}));
  Words words;
  const auto pulled = pull("app:v1", words);
  ASSERT_TRUE(pulled.ok()) << pulled.error().message();
  open();
  const auto image = *store_->resolve(registry_.name("app:v1"));
  EXPECT_EQ(image.repo_digests, (std::vector<std::string>{registry_.name("app@") + digest.to_string()}));
  EXPECT_EQ(file(image, 0, "a") + file(image, 1, "b"), "onetwo");
  EXPECT_TRUE(content_->contains(digest));
  EXPECT_EQ(partials(), 0U);
  for (const auto& layer : {lower, upper}) {
    const std::string id(spec::Digest::of(layer.gzip).short_hex());
    for (const char* word : {"Pulling fs layer", "Verifying Checksum", "Download complete", "Pull complete"})
      EXPECT_TRUE(words.said(id + ": " + word)) << word;
  }
  EXPECT_EQ(words.lines().front(), "v1: Pulling from app");
  EXPECT_EQ(words.lines().back(), "Status: Downloaded newer image for " + registry_.name("app:v1"));
  Words again;
  registry_.forget_requests();
  ASSERT_TRUE(pull("app:v1", again).ok());
  EXPECT_EQ(again.lines(),
            (std::vector<std::string>{"v1: Pulling from app", "Digest: " + digest.to_string(),
                                      "Status: Image is up to date for " + registry_.name("app:v1")}));
  EXPECT_EQ(registry_.count("GET /v2/app"), 0U);
}

TEST_F(TransferTest, LayersThatAreHereAreNotFetched) {
  const Tar lower = tar_of("a", "one");
  publish("app", "v1", {lower});
  publish("app", "v2", {lower, tar_of("b", "two")});
  Words words;
  ASSERT_TRUE(pull("app:v1", words).ok());
  registry_.forget_requests();
  ASSERT_TRUE(pull("app:v2", words).ok());
  const auto digest = spec::Digest::of(lower.gzip);
  EXPECT_TRUE(words.said(std::string(digest.short_hex()) + ": Already exists"));
  EXPECT_EQ(registry_.count(digest.to_string()), 0U);
  EXPECT_EQ(snapshots_->list()->size(), 2U);
}

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

TEST_F(TransferTest, APlatformIsChosenAndOthersAreNamed) {
  const auto entry = [&](const std::string& bytes, std::string_view platform) {
    spec::oci::Descriptor made;
    made.media_type = spec::oci::kMediaTypeManifest;
    made.digest = spec::Digest::of(bytes);
    made.size = static_cast<std::int64_t>(bytes.size());
    made.platform = *spec::Platform::parse(platform);
    return made;
  };
  spec::oci::Index index;
  index.media_type = spec::oci::kMediaTypeIndex;
  for (const char* platform : {"linux/s390x", "linux/amd64", "linux/arm64"})
    index.manifests.push_back(
        entry(publish("app", platform, {tar_of("p", platform)}, *spec::Platform::parse(platform)), platform));
  registry_.put_manifest("app", "all", json::encode(index), spec::oci::kMediaTypeIndex);
  Words words;
  ASSERT_TRUE(pull("app:all", words, "linux/s390x").ok());
  EXPECT_EQ(store_->resolve(registry_.name("app:all"))->config.platform.architecture, "s390x");
  const auto refused = pull("app:all", words, "linux/riscv64");
  EXPECT_EQ(refused.error().kind(), Kind::NotFound);
  EXPECT_EQ(refused.error().message(),
            "no matching manifest for linux/riscv64 in the manifest list entries: no match for platform in "
            "manifest: "
            "not found (there are linux/s390x, linux/amd64, linux/arm64)");
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

/// Puts a signature beside an image, as cosign does.
void sign(FakeRegistry& registry, const std::string& repository, const std::vector<Signature>& signatures,
          const spec::Digest& manifest) {
  spec::oci::Manifest document;
  document.media_type = spec::oci::kMediaTypeManifest;
  document.config.media_type = spec::oci::kMediaTypeConfig;
  document.config.digest = registry.put_blob("{}");
  document.config.size = 2;
  for (const auto& signature : signatures) {
    auto& layer = document.layers.emplace_back();
    layer.media_type = kSignatureMediaType;
    layer.digest = registry.put_blob(signature.payload);
    layer.size = static_cast<std::int64_t>(signature.payload.size());
    layer.annotations[kSignatureAnnotation] = signature.signature;
  }
  registry.put_manifest(repository, signature_tag(manifest), json::encode(document),
                        spec::oci::kMediaTypeManifest);
}

TEST_F(TransferTest, APolicyIsAskedBeforeAnythingIsDownloaded) {
  const signing::Signer signer;
  policy_ = base_ + "/policy.json";
  const std::string host = registry_.name("");
  ASSERT_TRUE(
      sys::replace_file(
          policy_,
          fmt::format(
              R"({{"default":[{{"type":"reject"}}],"transports":{{"docker":{{"{}app":[{{"type":"sigstoreSigned",)"
              R"("keyData":"{}","signedIdentity":{{"type":"matchRepository"}}}}]}}}}}})",
              host, encode_base64(signer.pem())))
          .ok());
  open();
  const auto manifest = spec::Digest::of(publish("app", "v1", {tar_of("a", "one")}));
  publish("other", "v1", {tar_of("a", "two")});
  EXPECT_EQ(
      pull_failure("other:v1"),
      fmt::format(
          R"(image {} is refused by the rule "default" of the policy {}: images of this scope are rejected)",
          registry_.name("other:v1"), policy_));
  const std::string refused =
      fmt::format(R"(image {} is refused by the rule "docker {}app" of the policy {}: )",
                  registry_.name("app:v1"), host, policy_);
  registry_.forget_requests();
  EXPECT_EQ(pull_failure("app:v1"), refused + "it has no signature");
  EXPECT_EQ(registry_.count("GET /v2/app/blobs"), 0U);
  sign(registry_, "app", {signing::Signer().signature(manifest, registry_.name("app"))}, manifest);
  EXPECT_EQ(pull_failure("app:v1"), refused + "none of its signatures is by a key of the rule");
  sign(registry_, "app", {signer.signature(manifest, registry_.name("app"))}, manifest);
  EXPECT_EQ(pull_failure("app:v1"), "pulled");
  const auto image = *store_->resolve(registry_.name("app:v1"));
  EXPECT_TRUE(trust_->check_use(image).ok());
  // What was believed then is judged by the keys of today.
  open();
  EXPECT_TRUE(trust_->check_use(image).ok());
  const signing::Signer another;
  ASSERT_TRUE(
      sys::replace_file(policy_, fmt::format(R"({{"default":[{{"type":"sigstoreSigned","keyData":"{}"}}]}})",
                                             encode_base64(another.pem())))
          .ok());
  ASSERT_TRUE(trust_->reload().ok());
  EXPECT_EQ(
      trust_->check_use(image).error().message(),
      fmt::format(
          R"(image {} is refused by the rule "default" of the policy {}: none of its signatures is by a key of the rule)",
          registry_.name("app:v1"), policy_));
  ASSERT_TRUE(sys::replace_file(policy_, "{").ok());
  EXPECT_FALSE(trust_->reload().ok());
  EXPECT_FALSE(trust_->check_use(image).ok());
  ASSERT_TRUE(store_->remove(image.id.to_string(), true, false, {}).ok());
  EXPECT_FALSE(trust_->origins().find(image.id)->has_value());
}

TEST_F(TransferTest, AnImageFromBeforeThePolicyIsNotUsed) {
  publish("app", "v1", {tar_of("a", "one")});
  Words words;
  ASSERT_TRUE(pull("app:v1", words).ok());
  const auto image = *store_->resolve(registry_.name("app:v1"));
  ASSERT_TRUE(trust_->check_use(image).ok());
  policy_ = base_ + "/policy.json";
  ASSERT_TRUE(
      sys::replace_file(policy_, fmt::format(R"({{"default":[{{"type":"sigstoreSigned","keyData":"{}"}}]}})",
                                             encode_base64(signing::Signer().pem())))
          .ok());
  open();
  EXPECT_EQ(
      trust_->check_use(image).error().message(),
      fmt::format(
          R"(image {} is refused by the rule "default" of the policy {}: no signature was recorded when it was pulled; pull it again)",
          registry_.name("app:v1"), policy_));
  // What was made here is nobody's but ours, also when it was pushed.
  auto config = image.config;
  config.author = "me";
  const auto made = *store_->create(config, image.layers, "");
  EXPECT_TRUE(trust_->check_use(made).ok());
  ASSERT_TRUE(store_->tag(made.id, *spec::Reference::parse(registry_.name("mine:v1"))).ok());
  ASSERT_TRUE(pusher_->push({*spec::Reference::parse(registry_.name("mine:v1")), {}, {}}, words, {}).ok());
  EXPECT_TRUE(trust_->check_use(*store_->resolve(made.id.to_string())).ok());
}

TEST_F(TransferTest, APolicyThatCannotBeSeenIsNotNone) {
  policy_ = base_ + "/policy.json";
  ASSERT_TRUE(sys::replace_file(policy_, R"({"default":[{"type":"reject"}]})").ok());
  open();
  fs::remove(policy_);
  EXPECT_EQ(trust_->reload().error().kind(), Kind::NotFound);
  EXPECT_FALSE(trust_->check_load().ok());
  EXPECT_EQ(Trust::open(*database_, policy_).error().kind(), Kind::NotFound);
}

/// A pull that did not come to its end, or whose image another step took away, leaves no image without an
/// origin, and no origin for ever.
TEST_F(TransferTest, AnOriginIsThereBeforeItsImage) {
  const std::string manifest = publish("app", "v1", {tar_of("a", "one")});
  const auto id = json::decode<spec::oci::Manifest>(manifest)->config.digest;
  registry_.intercept = [](http::Exchange& http) {
    if (http.path().find("/blobs/") == std::string_view::npos) return false;
    (void)http.send(404, "");
    return true;
  };
  EXPECT_NE(pull_failure("app:v1"), "pulled");
  const auto origin = *trust_->origins().find(id);
  ASSERT_TRUE(origin.has_value());
  EXPECT_EQ(origin->pulls.front().reference, registry_.name("app:v1"));
  open();
  EXPECT_FALSE(trust_->origins().find(id)->has_value());
  registry_.intercept = {};
  EXPECT_EQ(pull_failure("app:v1"), "pulled");
  open();
  EXPECT_TRUE(trust_->origins().find(id)->has_value());
}

TEST_F(TransferTest, AnImageThatWasLoadedTooIsTakenAsOneOfAnArchive) {
  publish("app", "v1", {tar_of("a", "one")});
  ASSERT_EQ(pull_failure("app:v1"), "pulled");
  const auto image = *store_->resolve(registry_.name("app:v1"));
  policy_ = base_ + "/policy.json";
  ASSERT_TRUE(
      sys::replace_file(
          policy_,
          R"({"default":[{"type":"reject"}],"transports":{"docker-archive":{"":[{"type":"insecureAcceptAnything"}]}}})")
          .ok());
  open();
  EXPECT_FALSE(trust_->check_use(image).ok());
  ASSERT_TRUE(trust_->origins().loaded(image.id, true).ok());
  EXPECT_TRUE(trust_->check_use(image).ok());
  // What was made here stays so.
  const auto made = spec::Digest::of("made here");
  ASSERT_TRUE(trust_->origins().loaded(made, true).ok());
  EXPECT_FALSE(trust_->origins().find(made)->has_value());
  ASSERT_TRUE(trust_->origins().loaded(made, false).ok());
  EXPECT_EQ((*trust_->origins().find(made))->kind, Origin::Kind::Archive);
}

TEST_F(TransferTest, AllTagsAndDigests) {
  const auto digest = spec::Digest::of(publish("app", "v1", {tar_of("a", "one")}));
  publish("app", "v2", {tar_of("a", "two")});
  Words words;
  ASSERT_TRUE(pull("app", words).ok());
  EXPECT_EQ(store_->list()->size(), 2U);
  EXPECT_EQ(words.lines().back(), "Status: Downloaded newer image for " + registry_.name("app"));
  const std::string name = "app@" + digest.to_string();
  ASSERT_TRUE(pull(name, words).ok());
  EXPECT_EQ(words.lines().back(), "Status: Image is up to date for " + registry_.name(name));
  EXPECT_TRUE(store_->resolve(registry_.name(name)).ok());
}

TEST_F(TransferTest, WhatIsNoImageIsRefused) {
  registry_.put_manifest("app", "old", R"({"schemaVersion":1})", spec::oci::kDockerSchema1Signed);
  EXPECT_NE(pull_failure("app:old").find("schema 1"), std::string::npos);
  EXPECT_EQ(pull_failure("app:none"),
            fmt::format("manifest for {} not found: manifest unknown: said manifest_unknown",
                        registry_.name("app:none")));
  std::string chart = publish("app", "v1", {tar_of("a", "one")});
  chart.replace(chart.find(spec::oci::kMediaTypeConfig), spec::oci::kMediaTypeConfig.size(), "application/x");
  registry_.put_manifest("app", "chart", chart, spec::oci::kMediaTypeManifest);
  EXPECT_EQ(pull_failure("app:chart"), "unsupported media type application/x: this is no container image");
  expect_nothing_left();
}

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
