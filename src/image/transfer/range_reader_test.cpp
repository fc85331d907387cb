#include "image/transfer/range_reader.h"

#include <gtest/gtest.h>

#include "registry/testing/fake_registry.h"

namespace skiff::image {
namespace {

using registry::testing::FakeRegistry;

constexpr std::uint64_t kPart = 10'000;

class RangeReaderTest : public ::testing::Test {
 protected:
  RangeReaderTest() {
    unsigned seed = 7;
    for (int i = 0; i < 123'456; ++i) blob_ += static_cast<char>((seed = seed * 1664525 + 1013904223) >> 24);
    digest_ = registry_.put_blob(blob_);
    auto settings = FakeRegistry::settings();
    settings.attempts = 1;
    repository_ = *registry::Repository::connect(*spec::Reference::parse(registry_.name("app")),
                                                 registry::Purpose::Pull, {}, settings, {});
  }

  /// Reads what is missing after `got_`, in the order in which it comes.
  Result<void> read(int others = 4, const std::stop_token& stop = {}) {
    Slots slots(others);
    RangeReader reader(*repository_, digest_, blob_.size(), slots, kPart);
    return reader.read(
        got_.size(),
        [this](std::uint64_t at, std::string_view piece) -> Result<void> {
          EXPECT_LE(at, got_.size());
          piece.remove_prefix(std::min<std::uint64_t>(piece.size(), got_.size() - at));
          got_ += piece;
          return {};
        },
        stop);
  }

  FakeRegistry registry_;
  std::string blob_;
  spec::Digest digest_;
  std::shared_ptr<registry::Repository> repository_;
  std::string got_;
};

TEST_F(RangeReaderTest, PartsComeInTheirOrder) {
  ASSERT_TRUE(read().ok());
  EXPECT_TRUE(got_ == blob_);
  EXPECT_EQ(registry_.count(" bytes="), 13U);
  EXPECT_EQ(registry_.count(" bytes=120000-123455"), 1U);
}

TEST_F(RangeReaderTest, WithoutFurtherConnectionsPartsComeOneAfterTheOther) {
  ASSERT_TRUE(read(0).ok());
  EXPECT_TRUE(got_ == blob_);
}

TEST_F(RangeReaderTest, TheRestOfABlobIsRead) {
  got_ = blob_.substr(0, 54'321);
  ASSERT_TRUE(read().ok());
  EXPECT_TRUE(got_ == blob_);
  EXPECT_EQ(registry_.count(" bytes=54321-64320"), 1U);
}

TEST_F(RangeReaderTest, FewPartsComeInOneAnswer) {
  got_ = blob_.substr(0, 100'000);
  ASSERT_TRUE(read().ok());
  EXPECT_TRUE(got_ == blob_);
  EXPECT_EQ(registry_.count(" bytes="), 1U);
  EXPECT_EQ(registry_.count(" bytes=100000-"), 1U);
}

TEST_F(RangeReaderTest, AServerWithoutRangesIsAskedOnce) {
  registry_.ranges = false;
  ASSERT_TRUE(read().ok());
  EXPECT_TRUE(got_ == blob_);
  EXPECT_EQ(registry_.count(digest_.to_string()), 1U);
}

TEST_F(RangeReaderTest, APartThatFailsIsAskedForAgain) {
  std::atomic<int> failures = 0;
  registry_.intercept = [&](http::Exchange& http) {
    if (http.fields().get("Range") != "bytes=30000-39999" || failures++ > 0) return false;
    (void)http.send(500, "not now");
    return true;
  };
  // When it was the reader's own connection that failed, whoever reads asks again.
  const auto first = read();
  EXPECT_TRUE(first.ok() || got_.size() == 30'000);
  ASSERT_TRUE(read().ok());
  EXPECT_TRUE(got_ == blob_);
  EXPECT_EQ(failures, 2);
}

TEST_F(RangeReaderTest, WhatBreaksOffIsABeginning) {
  registry_.intercept = [](http::Exchange& http) {
    if (http.fields().get("Range") != "bytes=60000-69999") return false;
    http.abort();
    return true;
  };
  EXPECT_EQ(read().error().kind(), Kind::Unavailable);
  EXPECT_TRUE(got_ == blob_.substr(0, 60'000));
  registry_.intercept = {};
  ASSERT_TRUE(read().ok());
  EXPECT_TRUE(got_ == blob_);
}

TEST_F(RangeReaderTest, AnotherPartThanTheWantedOneIsNotTaken) {
  registry_.intercept = [&](http::Exchange& http) {
    if (http.fields().get("Range") != "bytes=20000-29999") return false;
    http.answer_fields().add("Content-Range", "bytes 40000-49999/123456");
    (void)http.send(206, std::string_view(blob_).substr(40'000, 10'000), "application/octet-stream");
    return true;
  };
  EXPECT_EQ(read().error().kind(), Kind::Unavailable);
  EXPECT_TRUE(got_ == blob_.substr(0, 20'000));
}

TEST_F(RangeReaderTest, OneThatIsStoppedEnds) {
  std::stop_source stop;
  registry_.intercept = [&](http::Exchange& http) {
    if (http.fields().get("Range") == "bytes=50000-59999") stop.request_stop();
    return false;
  };
  EXPECT_EQ(read(4, stop.get_token()).error().kind(), Kind::Cancelled);
}

}  // namespace
}  // namespace skiff::image
