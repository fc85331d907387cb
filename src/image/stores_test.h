#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "archive/tar_writer.h"
#include "image/pull.h"
#include "registry/testing/fake_registry.h"
#include "sys/file.h"

namespace skiff::image {

/// A tar with one file.
inline std::string tar_with(const std::string& name, const std::string& data) {
  std::string bytes;
  archive::TarWriter tar([&](std::string_view piece) -> Result<void> {
    bytes += piece;
    return {};
  });
  archive::Entry entry;
  entry.path = name;
  entry.mode = 0644;
  entry.size = data.size();
  EXPECT_TRUE(tar.header(entry).ok() && tar.data(data).ok() && tar.finish().ok());
  return bytes;
}

/// A layer as a registry has it.
struct PackedLayer {
  std::string blob;
  spec::Digest diff_id;
  std::map<std::string, std::string> annotations;
};

/// The stores of an engine in a folder of their own, and a registry.
class StoresTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "skiff-image-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    base_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(base_); }

  void close_stores() {
    trust_.reset();
    ledger_.reset();
    store_.reset();
    snapshots_.reset();
    content_.reset();
    database_.reset();
  }
  /// `policy` is a file, or "".
  void open_stores(const std::string& policy) {
    database_ = std::move(*meta::Database::open(base_ + "/meta.db"));
    content_ = std::move(*content::Store::open(base_ + "/content"));
    snapshots_ = std::move(*snapshot::Store::open(base_ + "/snapshots", *database_));
    store_ = std::move(*Store::open(*content_, *snapshots_, *database_));
    ledger_ = std::make_unique<BlobLedger>(*database_);
    trust_ = std::move(*Trust::open(*database_, policy));
  }

  /// Puts an image into the registry; the manifest's bytes.
  std::string publish_layers(const std::string& repository, const std::string& tag,
                             const std::vector<PackedLayer>& layers, std::string_view media_type,
                             const spec::Platform& platform = spec::Platform::host()) {
    spec::oci::Image config;
    config.platform = platform;
    spec::oci::Manifest manifest;
    manifest.media_type = spec::oci::kMediaTypeManifest;
    for (const auto& layer : layers) {
      config.rootfs.diff_ids.push_back(layer.diff_id);
      auto& blob = manifest.layers.emplace_back();
      blob.media_type = media_type;
      blob.digest = registry_.put_blob(layer.blob);
      blob.size = static_cast<std::int64_t>(layer.blob.size());
      blob.annotations = layer.annotations;
    }
    const std::string text = json::encode(config);
    manifest.config.media_type = spec::oci::kMediaTypeConfig;
    manifest.config.digest = registry_.put_blob(text);
    manifest.config.size = static_cast<std::int64_t>(text.size());
    std::string bytes = json::encode(manifest);
    registry_.put_manifest(repository, tag, bytes, spec::oci::kMediaTypeManifest);
    return bytes;
  }

  std::string base_;
  registry::Settings settings_ = registry::testing::FakeRegistry::settings();
  registry::testing::FakeRegistry registry_;
  std::unique_ptr<meta::Database> database_;
  std::unique_ptr<content::Store> content_;
  std::unique_ptr<snapshot::Store> snapshots_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<BlobLedger> ledger_;
  std::unique_ptr<Trust> trust_;
};

}  // namespace skiff::image
