#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <zlib.h>
#include <zstd.h>

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "archive/apply.h"
#include "archive/source.h"
#include "archive/tar_writer.h"
#include "sys/file.h"

namespace skiff::archive::testing {

/// A directory of its own for each test, removed afterwards.
class TreeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "skiff-archive-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    base_ = name;
    std::filesystem::create_directory(base_ + "/root");
    write("outside", "untouched");
    root_ = *sys::open_directory(base_ + "/root");
  }
  void TearDown() override {
    EXPECT_EQ(read("outside"), "untouched");
    std::filesystem::remove_all(base_);
  }

  std::string path(const std::string& name) const { return base_ + "/" + name; }
  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
  }
  std::string read(const std::string& name) const {
    auto bytes = sys::read_file(path(name));
    return bytes.ok() ? *bytes : "<" + bytes.error().message() + ">";
  }
  struct stat status(const std::string& name) const {
    struct stat result {};
    EXPECT_EQ(::lstat(path(name).c_str(), &result), 0) << name;
    return result;
  }
  bool there(const std::string& name) const {
    struct stat result {};
    return ::lstat(path(name).c_str(), &result) == 0;
  }

  std::string base_;
  sys::Fd root_;
};

inline std::string gzip(const std::string& bytes) {
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

inline std::string zstd(const std::string& bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 3));
  return out;
}

/// Builds archives in memory, hostile ones as well.
class Tar {
 public:
  Tar()
      : writer_([this](std::string_view piece) -> Result<void> {
          bytes_ += piece;
          return {};
        }) {}

  Tar& file(const std::string& name, const std::string& data = "data", mode_t mode = 0644) {
    Entry entry = make(name, Entry::Type::Regular, mode);
    entry.size = data.size();
    EXPECT_TRUE(writer_.header(entry).ok());
    EXPECT_TRUE(writer_.data(data).ok());
    return *this;
  }
  Tar& directory(const std::string& name, mode_t mode = 0755) {
    return add(make(name, Entry::Type::Directory, mode));
  }
  Tar& link(const std::string& name, const std::string& target, Entry::Type type = Entry::Type::Symlink) {
    Entry entry = make(name, type, 0777);
    entry.link = target;
    return add(entry);
  }
  Tar& add(const Entry& entry) {
    EXPECT_TRUE(writer_.header(entry).ok());
    return *this;
  }
  static Entry make(const std::string& name, Entry::Type type, mode_t mode) {
    Entry entry;
    entry.path = name;
    entry.type = type;
    entry.mode = mode;
    entry.mtime.tv_sec = 1'000'000'000;
    return entry;
  }
  std::string bytes() {
    EXPECT_TRUE(writer_.finish().ok());
    return std::move(bytes_);
  }

 private:
  std::string bytes_;
  TarWriter writer_;
};

inline Result<ApplyStats> apply_bytes(std::string bytes, const sys::Fd& root, const ApplyOptions& options) {
  auto source = memory_source(std::move(bytes));
  return apply(*source, root, options);
}

}  // namespace skiff::archive::testing
