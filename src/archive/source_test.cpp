#include "archive/source.h"

#include <zlib.h>
#include <zstd.h>

#include "archive/testing_test.h"

namespace skiff::archive {
namespace {

std::string gzip(const std::string& bytes) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd(const std::string& bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 3));
  return out;
}

/// Text that compresses somewhat and is larger than every buffer.
std::string sample() {
  std::string text;
  std::uint32_t seed = 1;
  while (text.size() < 3'000'000) {
    seed = seed * 1664525 + 1013904223;
    text += fmt::format("{} {:x} line of text\n", seed % 1000, seed);
  }
  return text;
}

class SourceTest : public testing::TreeTest {
 protected:
  Result<std::string> all(const std::string& bytes) {
    write("stream", bytes);
    const sys::Fd file = *sys::open_file(path("stream"), O_RDONLY);
    auto source = TRY(open_source(file));
    std::string out;
    for (;;) {
      const auto piece = TRY(source->next());
      if (piece.empty()) return out;
      out += piece;
    }
  }
};

TEST_F(SourceTest, WhateverTheCompressionTheBytesAreTheSame) {
  const std::string text = sample();
  EXPECT_TRUE(*all(text) == text);
  EXPECT_TRUE(*all(gzip(text)) == text);
  EXPECT_TRUE(*all(zstd(text)) == text);
  EXPECT_EQ(*all(""), "");
  EXPECT_EQ(*all("tiny"), "tiny");
  EXPECT_EQ(*all(gzip("")), "");
}

TEST_F(SourceTest, SeveralMembersInARow) {
  const std::string text = sample();
  EXPECT_TRUE(*all(gzip(text) + gzip("middle") + gzip(text)) == text + "middle" + text);
  EXPECT_TRUE(*all(zstd(text) + zstd("end")) == text + "end");
  EXPECT_EQ(*all(gzip("padded") + std::string(1000, '\0')), "padded");
}

TEST_F(SourceTest, TruncationIsNoticed) {
  const std::string text = sample();
  for (const std::string& whole : {gzip(text), zstd(text)}) {
    for (const std::size_t cut : {std::size_t{1}, std::size_t{9}, whole.size() / 2}) {
      auto result = all(whole.substr(0, whole.size() - cut));
      ASSERT_FALSE(result.ok()) << cut;
      EXPECT_EQ(result.error().kind(), Kind::InvalidArgument);
    }
  }
}

TEST_F(SourceTest, DamageIsNoticed) {
  std::string bytes = gzip(sample());
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x55);
  EXPECT_FALSE(all(bytes).ok());
  EXPECT_FALSE(all("\x1f\x8b\x08garbage that is no gzip at all").ok());
}

TEST_F(SourceTest, OtherCompressionsAreNamed) {
  using namespace std::string_literals;
  EXPECT_NE(all("BZh91AY"s).error().message().find("bzip2"), std::string::npos);
  EXPECT_NE(all("\xfd\x37\x7a\x58\x5a\x00rest"s).error().message().find("xz"), std::string::npos);
}

}  // namespace
}  // namespace skiff::archive
