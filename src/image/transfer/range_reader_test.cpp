#include "image/transfer/range_reader.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

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
    connect(1);
  }

  void connect(int attempts) {
    auto settings = FakeRegistry::settings();
    settings.attempts = attempts;
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

/// Parts that were overtaken would otherwise wait in memory, as many as the blob has.
TEST_F(RangeReaderTest, AnAnswerThatGoesOnPastTheEndTakesItsHelpersAlong) {
  std::atomic<std::size_t> given = 0;
  registry_.intercept = [&](http::Exchange& http) {
    const auto range = http.fields().get("Range");
    if (range.starts_with("bytes=0-")) {
      http.answer_fields().add("Content-Range", "bytes 0-9999/123456");
      (void)http.start(206, blob_.size(), "application/octet-stream");
      const std::string_view all = blob_;
      (void)http.write(all.substr(0, 1));
      while (registry_.count(" bytes=") < 5) std::this_thread::yield();
      (void)http.write(all.substr(1, blob_.size() - 3));
      // The last byte but one tells that those before it were counted.
      while (given < blob_.size() - 2) std::this_thread::yield();
      (void)http.write(all.substr(blob_.size() - 2, 1));
      while (registry_.count(" bytes=12") < 1) std::this_thread::yield();
      (void)http.write(all.substr(blob_.size() - 1));
      return true;
    }
    if (!range.starts_with("bytes=12"))
      while (given < blob_.size() - 1) std::this_thread::yield();
    return false;
  };
  Slots slots(4);
  RangeReader reader(*repository_, digest_, blob_.size(), slots, kPart);
  const auto read = reader.read(0,
                                [&](std::uint64_t at, std::string_view piece) -> Result<void> {
                                  EXPECT_EQ(at, got_.size());
                                  got_ += piece;
                                  given = got_.size();
                                  return {};
                                },
                                {});
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_TRUE(got_ == blob_);
  EXPECT_EQ(registry_.count(" bytes="), 6U);
}

TEST_F(RangeReaderTest, ARegistryThatLimitsConnectionsIsNotPressed) {
  connect(3);
  std::atomic<bool> alone = false;
  std::atomic<bool> together = false;
  std::atomic<int> at_once = 0;
  std::atomic<int> refusals = 0;
  registry_.intercept = [&](http::Exchange& http) {
    const auto range = http.fields().get("Range");
    if (range == "bytes=0-9999") {
      http.answer_fields().add("Content-Range", "bytes 0-9999/123456");
      (void)http.start(206, 10'000, "application/octet-stream");
      (void)http.write(std::string_view(blob_).substr(0, 1));
      while (refusals < 4) std::this_thread::yield();
      alone = true;
      (void)http.write(std::string_view(blob_).substr(1, 9'999));
      return true;
    }
    if (alone) {
      if (++at_once > 1) together = true;
      for (int i = 0; i < 1000; ++i) std::this_thread::yield();  // so that another would be seen
      const auto from = *parse_uint(cut(range.substr(6), '-').first);
      http.answer_fields().add("Content-Range", fmt::format("bytes {}-/123456", from));
      --at_once;
      (void)http.send(206, std::string_view(blob_).substr(from, kPart), "application/octet-stream");
      return true;
    }
    ++refusals;
    http.answer_fields().add("Retry-After", "0");
    (void)http.send(429, "");
    return true;
  };
  ASSERT_TRUE(read().ok());
  EXPECT_TRUE(got_ == blob_);
  EXPECT_EQ(refusals, 4);
  EXPECT_FALSE(together);
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
