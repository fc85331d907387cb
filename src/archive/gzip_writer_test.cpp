#include "archive/gzip_writer.h"

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

TEST(GzipWriter, WhatIsPackedComesOutAgain) {
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += std::to_string(i * i);
  std::string first;
  std::string second;
  GzipWriter writer;
  for (std::size_t at = 0; at < text.size(); at += 70'000)
    ASSERT_TRUE(writer.write(std::string_view(text).substr(at, 70'000), false, first).ok());
  ASSERT_TRUE(writer.write("", true, first).ok());
  GzipWriter again;
  for (std::size_t at = 0; at < text.size(); at += 70'000)
    ASSERT_TRUE(again.write(std::string_view(text).substr(at, 70'000), false, second).ok());
  ASSERT_TRUE(again.write("", true, second).ok());
  EXPECT_EQ(first, second);
  EXPECT_LT(first.size(), text.size() / 2);
  EXPECT_EQ(plain(first), text);
}

TEST(GzipWriter, NothingIsAStreamToo) {
  std::string packed;
  GzipWriter writer;
  ASSERT_TRUE(writer.write("", true, packed).ok());
  EXPECT_FALSE(packed.empty());
  EXPECT_EQ(plain(packed), "");
}

}  // namespace
}  // namespace skiff::archive
