#include "content/store.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "sys/file.h"

namespace skiff::content {
namespace {

namespace fs = std::filesystem;
using spec::Digest;

class ContentTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "skiff-content-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
    store_ = open();
  }
  void TearDown() override { fs::remove_all(root_); }

  std::unique_ptr<Store> open() {
    auto store = Store::open(root_);
    EXPECT_TRUE(store.ok());
    return store.ok() ? std::move(store).value() : nullptr;
  }
  std::size_t files_in(const char* directory) {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(root_ + "/" + directory), fs::directory_iterator()));
  }
  std::string blob_path(const Digest& digest) { return root_ + "/blobs/sha256/" + std::string(digest.hex()); }

  std::string root_;
  std::unique_ptr<Store> store_;
};

TEST_F(ContentTest, BlobsComeBackByDigest) {
  auto digest = store_->put("hello");
  ASSERT_TRUE(digest.ok());
  EXPECT_EQ(digest->to_string(), "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
  EXPECT_EQ(*store_->read(*digest), "hello");
  EXPECT_EQ(*store_->size_of(*digest), 5u);
  EXPECT_TRUE(store_->contains(*digest));
  EXPECT_EQ(*sys::read_all(*store_->open_blob(*digest)), "hello");
  EXPECT_EQ(files_in("ingest"), 0u);
  EXPECT_EQ(*open()->read(*digest), "hello");
}

TEST_F(ContentTest, PutTwiceKeepsOneCopy) {
  ASSERT_TRUE(store_->put("x").ok());
  ASSERT_TRUE(store_->put("x").ok());
  EXPECT_EQ(files_in("blobs/sha256"), 1u);
  EXPECT_EQ(files_in("ingest"), 0u);
}

TEST_F(ContentTest, AnIngestCommitsOnlyWhatWasPromised) {
  auto ingest = store_->ingest();
  ASSERT_TRUE(ingest.ok());
  ASSERT_TRUE((*ingest)->write("he").ok());
  ASSERT_TRUE((*ingest)->write("llo").ok());
  EXPECT_EQ((*ingest)->size(), 5u);
  const Digest wrong = Digest::of("other");
  auto result = (*ingest)->commit(&wrong);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind(), Kind::DataLoss);
  ingest->reset();
  EXPECT_EQ(files_in("ingest"), 0u);
  EXPECT_EQ(files_in("blobs/sha256"), 0u);
}

TEST_F(ContentTest, ADroppedIngestLeavesNothing) {
  {
    auto ingest = store_->ingest();
    ASSERT_TRUE((*ingest)->write("half").ok());
    EXPECT_EQ(files_in("ingest"), 1u);
  }
  EXPECT_EQ(files_in("ingest"), 0u);
}

TEST_F(ContentTest, LeftoversOfACrashAreRemovedWhenOpened) {
  std::ofstream(root_ + "/ingest/0123") << "half a blob";
  auto again = open();
  EXPECT_EQ(files_in("ingest"), 0u);
}

TEST_F(ContentTest, ADamagedBlobIsNoticedAndNamed) {
  const Digest digest = *store_->put("precious");
  std::ofstream(blob_path(digest)) << "pretious";
  auto bytes = store_->read(digest);
  ASSERT_FALSE(bytes.ok());
  EXPECT_EQ(bytes.error().kind(), Kind::DataLoss);
  EXPECT_NE(bytes.error().message().find(digest.to_string()), std::string::npos);
}

TEST_F(ContentTest, PuttingTheBytesAgainHealsADamagedBlob) {
  const Digest digest = *store_->put("precious");
  std::ofstream(blob_path(digest)) << "pretious";
  ASSERT_TRUE(store_->put("precious").ok());
  EXPECT_EQ(*store_->read(digest), "precious");
}

TEST_F(ContentTest, MissingBlobsAreNotFound) {
  const Digest digest = Digest::of("nowhere");
  EXPECT_EQ(store_->read(digest).error().kind(), Kind::NotFound);
  EXPECT_EQ(store_->size_of(digest).error().kind(), Kind::NotFound);
  EXPECT_EQ(store_->remove(digest).error().kind(), Kind::NotFound);
  EXPECT_FALSE(store_->contains(digest));
  EXPECT_FALSE(store_->contains(Digest()));
}

TEST_F(ContentTest, RemovedBlobsAreGone) {
  const Digest digest = *store_->put("x");
  ASSERT_TRUE(store_->remove(digest).ok());
  EXPECT_FALSE(store_->contains(digest));
}

TEST_F(ContentTest, ManyThreadsMayPutTheSame) {
  std::vector<std::thread> threads;
  for (int n = 0; n < 4; ++n)
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) EXPECT_TRUE(store_->put(fmt::format("blob {}", i)).ok());
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(files_in("blobs/sha256"), 20u);
  EXPECT_EQ(files_in("ingest"), 0u);
}

TEST_F(ContentTest, APartialBlobIsThereAfterARestart) {
  const Digest digest = Digest::of("hello world");
  {
    auto partial = store_->partial(digest);
    ASSERT_TRUE(partial.ok());
    EXPECT_EQ((*partial)->size(), 0U);
    ASSERT_TRUE((*partial)->append("hello ").ok());
  }
  store_ = open();
  EXPECT_FALSE(store_->contains(digest));
  auto partial = *store_->partial(digest);
  EXPECT_EQ(partial->size(), 6U);
  ASSERT_TRUE(partial->append("world").ok());
  EXPECT_EQ(partial->digest(), digest);
  ASSERT_TRUE(partial->clear().ok());
  EXPECT_EQ(partial->size(), 0U);
  ASSERT_TRUE(partial->append("x").ok());
  EXPECT_EQ(partial->digest(), Digest::of("x"));
  partial->discard();
  EXPECT_EQ(files_in("partial"), 0U);
}

TEST_F(ContentTest, PartialBlobsThatNobodyWantsAreForgotten) {
  ASSERT_TRUE((*store_->partial(Digest::of("old")))->append("x").ok());
  ASSERT_TRUE((*store_->partial(Digest::of("new")))->append("x").ok());
  (void)*store_->partial(Digest::of("empty"));
  const std::string old = root_ + "/partial/" + std::string(Digest::of("old").hex());
  fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(24 * 8));
  store_ = open();
  EXPECT_EQ(files_in("partial"), 1U);
}

}  // namespace
}  // namespace skiff::content
