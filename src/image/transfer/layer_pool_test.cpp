#include "image/transfer/layer_pool.h"

#include "image/stores_test.h"

namespace skiff::image {
namespace {

class LayerPoolTest : public StoresTest {
 protected:
  void SetUp() override {
    StoresTest::SetUp();
    open_stores("");
    pool_ = std::make_unique<LayerPool>(*store_);
  }
  void TearDown() override {
    pool_.reset();
    close_stores();
    StoresTest::TearDown();
  }

  Result<Layer> make() {
    const std::string path = base_ + "/layer.tar";
    TRY(sys::write_file_atomic(path, tar_with("file", "text")));
    return store_->import_layer(TRY(sys::open_file(path, O_RDONLY)), "");
  }
  Result<LayerPool::Lease> lease() {
    return pool_->get(spec::Digest::of(tar_with("file", "text")), {}, [this] { return make(); });
  }
  Result<Image> image_of(const std::string& snapshot) {
    Layer layer;
    layer.snapshot = snapshot;
    layer.diff_id = spec::Digest::of(tar_with("file", "text"));
    layer.bytes = TRY(snapshots_->info(snapshot)).bytes;
    spec::oci::Image config;
    config.platform = spec::Platform::host();
    config.rootfs.diff_ids = {layer.diff_id};
    return store_->create(config, {layer}, "");
  }

  std::unique_ptr<LayerPool> pool_;
};

TEST_F(LayerPoolTest, ALayerThatNobodyMadeAnImageOfGoesWithItsLastLease) {
  {
    const auto first = lease();
    ASSERT_TRUE(first.ok()) << first.error().message();
    const auto second = lease();
    ASSERT_TRUE(second.ok()) << second.error().message();
    EXPECT_EQ(first->snapshot(), second->snapshot());
    EXPECT_EQ(snapshots_->list()->size(), 1u);
  }
  EXPECT_TRUE(snapshots_->list()->empty());
}

TEST_F(LayerPoolTest, ALayerThatSomebodyElseMadeAnImageOfStays) {
  {
    const auto mine = lease();
    ASSERT_TRUE(mine.ok()) << mine.error().message();
    // A load, say, that found it by its chain; this pull is given up.
    ASSERT_TRUE(image_of(mine->snapshot()).ok());
  }
  EXPECT_EQ(snapshots_->list()->size(), 1u);
}

TEST_F(LayerPoolTest, ALayerThatWasThereStaysWhileItIsLeased) {
  const auto made = make();
  ASSERT_TRUE(made.ok()) << made.error().message();
  const auto image = image_of(made->snapshot);
  ASSERT_TRUE(image.ok()) << image.error().message();
  {
    const auto held = lease();
    ASSERT_TRUE(held.ok()) << held.error().message();
    EXPECT_EQ(held->snapshot(), made->snapshot);
    ASSERT_TRUE(store_->remove(image->id.to_string(), true, true, {}).ok());
    EXPECT_EQ(snapshots_->list()->size(), 1u);
  }
  EXPECT_TRUE(snapshots_->list()->empty());
}

}  // namespace
}  // namespace skiff::image
