#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "archive/compressor.h"
#include "base/thread.h"
#include "image/push.h"
#include "image/stores_test.h"

namespace skiff::image {

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

inline Tar tar_of(const std::string& name, const std::string& data) {
  Tar made;
  made.bytes = tar_with(name, data);
  made.diff_id = spec::Digest::of(made.bytes);
  const auto gzip = archive::gzip_compressor(1);
  EXPECT_TRUE(gzip->write(made.bytes, true, made.gzip).ok());
  return made;
}

/// Text that does not compress, so that a blob has several pieces.
inline std::string noise(std::size_t size, unsigned seed) {
  std::string text(size, '\0');
  for (auto& c : text) c = static_cast<char>((seed = seed * 1664525 + 1013904223) >> 24);
  return text;
}

class TransferTest : public StoresTest {
 protected:
  void SetUp() override {
    StoresTest::SetUp();
    settings_.attempts = 2;
    open();
  }
  void TearDown() override {
    close();
    StoresTest::TearDown();
  }
  void close() {
    pusher_.reset();
    puller_.reset();
    close_stores();
  }
  void open() {
    close();
    open_stores(policy_);
    puller_ = Puller::create(*store_, *ledger_, *trust_, settings_);
    pusher_ = Pusher::create(*store_, *ledger_, trust_->origins(), settings_);
  }

  /// Puts an image into the registry; the manifest's bytes.
  std::string publish(const std::string& repository, const std::string& tag, const std::vector<Tar>& layers,
                      const spec::Platform& platform = spec::Platform::host()) {
    std::vector<PackedLayer> packed;
    for (const auto& layer : layers) packed.push_back({layer.gzip, layer.diff_id, {}});
    return publish_layers(repository, tag, packed, spec::oci::kMediaTypeLayerGzip, platform);
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

  std::string policy_;  ///< a file
  std::unique_ptr<Puller> puller_;
  std::unique_ptr<Pusher> pusher_;
};

}  // namespace skiff::image
