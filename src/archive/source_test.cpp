#include "archive/source.h"

#include <bzlib.h>
#include <lzma.h>

#include "archive/testing_test.h"

namespace skiff::archive {
namespace {

using testing::gzip;
using testing::zstd;

std::string xz(const std::string& bytes) {
  std::string out(lzma_stream_buffer_bound(bytes.size()), '\0');
  std::size_t size = 0;
  lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, nullptr, reinterpret_cast<const std::uint8_t*>(bytes.data()),
                          bytes.size(), reinterpret_cast<std::uint8_t*>(out.data()), &size, out.size());
  out.resize(size);
  return out;
}

std::string bzip2(std::string bytes) {
  std::string out(bytes.size() + bytes.size() / 100 + 600, '\0');
  auto size = static_cast<unsigned>(out.size());
  BZ2_bzBuffToBuffCompress(out.data(), &size, bytes.data(), static_cast<unsigned>(bytes.size()), 1, 0, 0);
  out.resize(size);
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
  EXPECT_TRUE(*all(xz(text)) == text);
  EXPECT_TRUE(*all(bzip2(text)) == text);
  EXPECT_EQ(*all(""), "");
  EXPECT_EQ(*all("tiny"), "tiny");
  EXPECT_EQ(*all(gzip("")), "");
}

TEST_F(SourceTest, SeveralMembersInARow) {
  const std::string text = sample();
  EXPECT_TRUE(*all(gzip(text) + gzip("middle") + gzip(text)) == text + "middle" + text);
  EXPECT_TRUE(*all(zstd(text) + zstd("end")) == text + "end");
  EXPECT_TRUE(*all(xz(text) + xz("end")) == text + "end");
  EXPECT_TRUE(*all(bzip2(text) + bzip2("end")) == text + "end");
  EXPECT_EQ(*all(gzip("padded") + std::string(1000, '\0')), "padded");
}

TEST_F(SourceTest, TruncationIsNoticed) {
  const std::string text = sample();
  for (const std::string& whole : {gzip(text), zstd(text), xz(text), bzip2(text)}) {
    for (const std::size_t cut : {std::size_t{1}, std::size_t{9}, whole.size() / 2}) {
      auto result = all(whole.substr(0, whole.size() - cut));
      ASSERT_FALSE(result.ok()) << cut;
      EXPECT_EQ(result.error().kind(), Kind::InvalidArgument);
    }
  }
}

TEST_F(SourceTest, DamageIsNoticed) {
  for (std::string bytes : {gzip(sample()), xz(sample()), bzip2(sample())}) {
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x55);
    EXPECT_FALSE(all(bytes).ok());
  }
  using namespace std::string_literals;
  EXPECT_FALSE(all("\x1f\x8b\x08garbage that is no gzip at all").ok());
  EXPECT_FALSE(all("BZh91AY"s).ok());
  EXPECT_FALSE(all("\xfd\x37\x7a\x58\x5a\x00rest"s).ok());
}

TEST_F(SourceTest, XzThatAsksForTooMuchMemoryIsRefused) {
  // The header of the first block, made to want a dictionary of 1 GiB (.xz format 1.2, sections 3.1
  // and 5.3.1).
  std::string bytes = xz("small");
  constexpr std::size_t kBlock = 12;
  const std::size_t size = (static_cast<unsigned char>(bytes[kBlock]) + 1U) * 4;
  const std::size_t filter = bytes.find("\x21\x01", kBlock);
  ASSERT_LT(filter, kBlock + size);
  bytes[filter + 2] = 36;
  const std::uint32_t sum =
      lzma_crc32(reinterpret_cast<const std::uint8_t*>(bytes.data()) + kBlock, size - 4, 0);
  for (std::size_t i = 0; i < 4; ++i) bytes[kBlock + size - 4 + i] = static_cast<char>(sum >> (8 * i));
  EXPECT_EQ(all(bytes).error().kind(), Kind::Exhausted);
}

}  // namespace
}  // namespace skiff::archive
