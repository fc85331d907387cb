#include "archive/compressor.h"

#include <fcntl.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "archive/source.h"
#include "sys/file.h"

namespace skiff::archive {
namespace {

std::string plain(const std::string& packed) {
  const sys::Fd file(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  EXPECT_TRUE(sys::write_all(file, packed).ok());
  ::lseek(file.get(), 0, SEEK_SET);
  const auto source = *open_source(file);
  std::string out;
  for (;;) {
    const auto piece = source->next();
    EXPECT_TRUE(piece.ok());
    if (!piece.ok() || piece->empty()) return out;
    out += *piece;
  }
}

std::string packed(Compressor& compressor, std::string_view text, std::size_t piece) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += piece)
    EXPECT_TRUE(compressor.write(text.substr(at, piece), false, out).ok());
  EXPECT_TRUE(compressor.write("", true, out).ok());
  return out;
}

/// Several megabytes, in part of noise, which gets larger.
std::string text() {
  std::string made;
  std::uint32_t state = 1;
  for (std::size_t i = 0; i < 600'000; ++i) made += std::to_string(i * i % 9973);
  for (int i = 0; i < 3'000'000; ++i) made += static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return made;
}

std::unique_ptr<Compressor> make(Compression kind, unsigned threads) {
  return kind == Compression::Gzip ? gzip_compressor(threads) : *zstd_compressor(threads);
}

class CompressorTest : public ::testing::TestWithParam<Compression> {};

TEST_P(CompressorTest, WhatIsPackedComesOutAgain) {
  const auto whole = text();
  for (const auto& part :
       {whole, whole.substr(0, 1 << 20), whole.substr(0, (1 << 20) + 1), whole.substr(0, 1)}) {
    const auto out = packed(*make(GetParam(), 3), part, 70'000);
    EXPECT_EQ(detect_compression(out), GetParam());
    EXPECT_TRUE(plain(out) == part);
  }
}

TEST_P(CompressorTest, TheSameBytesGiveTheSameBytes) {
  const auto whole = text();
  const auto first = packed(*make(GetParam(), 1), whole, 70'000);
  EXPECT_LT(first.size(), whole.size());
  EXPECT_TRUE(packed(*make(GetParam(), 1), whole, 1 << 20) == first);
  EXPECT_TRUE(packed(*make(GetParam(), 4), whole, 12'345) == first);
  const auto little = whole.substr(0, 5000);
  std::string at_once;
  ASSERT_TRUE(make(GetParam(), 1)->write(little, true, at_once).ok());
  EXPECT_TRUE(packed(*make(GetParam(), 1), little, 1000) == at_once);
}

TEST_P(CompressorTest, NothingIsAStreamToo) {
  const auto out = packed(*make(GetParam(), 2), "", 1);
  EXPECT_FALSE(out.empty());
  EXPECT_EQ(plain(out), "");
}

TEST_P(CompressorTest, OneThatIsGivenUpEndsItsThreads) {
  const auto compressor = make(GetParam(), 4);
  std::string out;
  EXPECT_TRUE(compressor->write(text(), false, out).ok());
}

INSTANTIATE_TEST_SUITE_P(Kinds, CompressorTest, ::testing::Values(Compression::Gzip, Compression::Zstd),
                         [](const auto& kind) { return kind.param == Compression::Gzip ? "Gzip" : "Zstd"; });

}  // namespace
}  // namespace skiff::archive
