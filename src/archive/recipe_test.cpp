#include "archive/recipe.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>

#include "archive/diff.h"
#include "archive/recorder.h"
#include "archive/replay.h"
#include "archive/testing_test.h"
#include "archive/worker.h"
#include "sys/spawn.h"

namespace skiff::archive {
namespace {

using testing::Tar;

/// Gives its bytes in pieces of a given size, as a pipe would.
class PieceSource final : public Source {
 public:
  PieceSource(const std::string& bytes, std::size_t size) : bytes_(bytes), size_(size) {}
  Result<std::string_view> next() override {
    // A buffer of its own each time: who looks at an old view sees rubbish.
    piece_.assign(piece_.size(), '#');
    piece_ = bytes_.substr(std::min(at_, bytes_.size()), size_);
    at_ += piece_.size();
    return std::string_view(piece_);
  }

 private:
  const std::string& bytes_;
  const std::size_t size_;
  std::size_t at_ = 0;
  std::string piece_;
};

class RecipeTest : public testing::TreeTest {
 protected:
  sys::Fd memory() { return sys::Fd(::memfd_create("recipe", MFD_CLOEXEC)); }

  /// Unpacks `tar` into root/, with its recipe in recipe_.
  Result<ApplyStats> record(const std::string& tar, std::size_t piece = 64 << 10) {
    recipe_ = memory();
    PieceSource source(tar, piece);
    Recorder recorder(source, recipe_);
    auto stats = TRY(apply(recorder, root_, layer_options(), &recorder));
    TRY(recorder.finish());
    return stats;
  }
  Result<std::string> replayed() {
    std::string bytes;
    const auto done = TRY(replay(recipe_, root_, [&](std::string_view piece) -> Result<void> {
      bytes += piece;
      return {};
    }));
    EXPECT_EQ(done.digest, spec::Digest::of(bytes));
    EXPECT_EQ(done.bytes, bytes.size());
    return bytes;
  }
  std::size_t recipe_size() const { return static_cast<std::size_t>(::lseek(recipe_.get(), 0, SEEK_END)); }

  void fresh() {
    std::filesystem::remove_all(path("root"));
    std::filesystem::create_directory(path("root"));
    root_ = *sys::open_directory(path("root"));
  }
  void expect_round_trip(const std::string& tar, const std::string& what = "") {
    for (const std::size_t piece : {std::size_t{100}, std::size_t{512}, std::size_t{64 << 10}, tar.size()}) {
      fresh();
      const auto recorded = record(tar, piece);
      ASSERT_TRUE(recorded.ok()) << what << ": " << recorded.error().message();
      const auto bytes = replayed();
      ASSERT_TRUE(bytes.ok()) << what << ": " << bytes.error().message();
      EXPECT_TRUE(*bytes == tar) << what << " in pieces of " << piece;
    }
  }
  /// What GNU tar makes of the directory in/.
  std::string made_by_tar(const std::vector<std::string>& options) {
    sys::SpawnOptions tar;
    tar.program = "tar";
    tar.search_path = true;
    tar.arguments = {"tar", "-C", path("in"), "-f", path("made.tar")};
    tar.arguments.insert(tar.arguments.end(), options.begin(), options.end());
    if (options.back() != "-r") tar.arguments.emplace_back("-c");
    tar.arguments.push_back(".");
    const auto output = sys::run(std::move(tar));
    EXPECT_TRUE(output.ok() && output->status == 0) << (output.ok() ? output->standard_error : "");
    return read("made.tar");
  }

  sys::Fd recipe_;
};

std::string random_bytes(std::size_t size, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

TEST_F(RecipeTest, GivesTheTarAgainAndKeepsTheContentsOut) {
  const std::string contents = random_bytes(1 << 20);
  Tar tar;
  expect_round_trip(
      tar.directory("d").file("d/big", contents).file("d/empty", "").link("d/l", "big").bytes());
  EXPECT_LT(recipe_size(), 1000u);
}

TEST_F(RecipeTest, WhatFollowsTheEndOfTheArchiveIsKept) {
  Tar tar;
  const std::string bytes = tar.file("f").bytes();
  expect_round_trip(bytes + std::string(8192, '\0'));
  expect_round_trip(bytes + "and words after it");
  expect_round_trip(bytes.substr(0, bytes.size() - 1024));
  expect_round_trip(bytes.substr(0, 512 + 4));
  expect_round_trip(std::string(1024, '\0'));
  expect_round_trip("");
}

TEST_F(RecipeTest, FilesThatALaterEntryReplaced) {
  Tar tar;
  tar.file("a", random_bytes(300'000, 1)).file("a", random_bytes(1000, 2));              // by a file
  tar.file("b", random_bytes(1000, 3)).directory("b").file("b/x", "in b");               // by a directory
  tar.directory("c").file("c/x", "1").file("c/y", "2").link("c", "b").file("c/x", "3");  // its directory, by
                                                                                         // a link
  tar.file("d", "4").link("e", "d", Entry::Type::HardLink).file("d", "5");               // another name stays
  tar.file("f", "6").link("f", "nowhere").file("f", "7").file("f", "8");
  const std::string bytes = tar.bytes();
  expect_round_trip(bytes);
  EXPECT_EQ(read("root/e"), "4");
  EXPECT_EQ(read("root/b/x"), "3");
}

TEST_F(RecipeTest, ContentsBehindALinkAreKept) {
  Tar tar;
  tar.directory("real")
      .link("alias", "real")
      .file("alias/x", "through")
      .link("alias", "other")
      .directory("other");
  expect_round_trip(tar.file("other/x", "another").bytes());
  EXPECT_EQ(read("root/real/x"), "through");
}

TEST_F(RecipeTest, HardLinksAndWhiteouts) {
  Tar tar;
  tar.file("a", random_bytes(5000)).link("b", "a", Entry::Type::HardLink);
  tar.file(".wh.gone", "with contents that nobody reads")
      .file("d/.wh..wh..opq", "")
      .file("d/.wh..wh.aufs", "x");
  Entry device = Tar::make("null", Entry::Type::CharacterDevice, 0666);
  device.major = 1;
  device.minor = 3;
  tar.add(device).add(Tar::make("fifo", Entry::Type::Fifo, 0600));
  expect_round_trip(tar.bytes());
}

TEST_F(RecipeTest, ExtendedHeaders) {
  std::string bytes;
  TarWriter tar([&](std::string_view piece) -> Result<void> {
    bytes += piece;
    return {};
  });
  Entry entry = Tar::make(std::string(150, 'n') + "/\xff\xfe not UTF-8", Entry::Type::Regular, 04755);
  entry.xattrs = {{"user.note", std::string("\0\1\2", 3)}, {"trusted.overlay.opaque", "y"}};
  entry.uid = 5'000'000;
  entry.mtime.tv_sec = -5;
  for (const std::size_t size : {10'000, 3}) {
    entry.path += "x";
    entry.size = size;
    ASSERT_TRUE(tar.header(entry).ok() && tar.data(random_bytes(size)).ok());
  }
  ASSERT_TRUE(tar.finish().ok());
  expect_round_trip(bytes);
}

TEST_F(RecipeTest, EveryFormatOfGnuTar) {
  std::filesystem::create_directories(path("in/" + std::string(90, 'd') + "/" + std::string(90, 'e')));
  write("in/" + std::string(90, 'd') + "/" + std::string(90, 'e') + "/" + std::string(120, 'f'), "long");
  write("in/plain", random_bytes(70'000));
  std::filesystem::create_hard_link(path("in/plain"), path("in/linked"));
  std::filesystem::create_symlink(std::string(200, 't'), path("in/link"));
  {
    const sys::Fd sparse = *sys::open_file(path("in/sparse"), O_WRONLY | O_CREAT);
    for (int i = 0; i < 40; ++i) {
      ASSERT_GE(::lseek(sparse.get(), 1'000'000L * i, SEEK_SET), 0);
      ASSERT_TRUE(sys::write_all(sparse, random_bytes(4096 + 7 * static_cast<unsigned>(i))).ok());
    }
    ASSERT_EQ(::ftruncate(sparse.get(), 50'000'000), 0);
  }
  for (const char* format : {"gnu", "oldgnu", "posix", "ustar"}) {
    std::vector<std::string> options = {std::string("--format=") + format, "--ignore-failed-read"};
    if (std::string_view(format) == "ustar") {
      std::filesystem::remove_all(path("in/" + std::string(90, 'd')));
      std::filesystem::remove(path("in/link"));
    } else {
      options.emplace_back("-S");
    }
    const std::string tar = made_by_tar(options);
    expect_round_trip(tar, format);
    EXPECT_LT(recipe_size(), 4000u) << format;
  }
  const std::string tar = made_by_tar({"--format=posix", "-S", "--sparse-version=0.1"});
  expect_round_trip(tar, "sparse 0.1");
}

TEST_F(RecipeTest, SparseContentsThatWereReplaced) {
  std::filesystem::create_directories(path("in"));
  {
    const sys::Fd sparse = *sys::open_file(path("in/s"), O_WRONLY | O_CREAT);
    ASSERT_TRUE(sys::write_all(sparse, random_bytes(10'000)).ok());
    ASSERT_GE(::lseek(sparse.get(), 600L << 30, SEEK_SET), 0);
    ASSERT_TRUE(sys::write_all(sparse, random_bytes(10'000)).ok());
  }
  made_by_tar({"--format=posix", "-S"});
  write("in/s", "small now");
  expect_round_trip(made_by_tar({"--format=posix", "-r"}));
  EXPECT_EQ(read("root/s"), "small now");
}

TEST_F(RecipeTest, TenThousandFilesCostLittle) {
  Tar tar;
  for (int i = 0; i < 10'000; ++i) {
    if (i % 100 == 0) tar.directory(fmt::format("dir{}", i / 100));
    tar.file(fmt::format("dir{}/file{}", i / 100, i), random_bytes(200, static_cast<unsigned>(i)));
  }
  const std::string bytes = tar.bytes();
  ASSERT_TRUE(record(bytes).ok());
  EXPECT_TRUE(*replayed() == bytes);
  EXPECT_LT(recipe_size(), 500'000u);
}

TEST_F(RecipeTest, ALayerThatIsNotWhatItWasIsNamed) {
  Tar tar;
  const std::string bytes = tar.file("d/f", "contents").bytes();
  ASSERT_TRUE(record(bytes).ok());
  write("root/d/f", "Contents");
  EXPECT_NE(spec::Digest::of(*replayed()), spec::Digest::of(bytes));
  write("root/d/f", "short");
  auto failed = replayed();
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().kind(), Kind::DataLoss);
  EXPECT_EQ(failed.error().message(), "the file \"d/f\" of the layer: it is too short");
  std::filesystem::remove(path("root/d/f"));
  std::filesystem::create_symlink(path("outside"), path("root/d/f"));
  EXPECT_EQ(replayed().error().kind(), Kind::DataLoss);
  std::filesystem::remove_all(path("root/d"));
  EXPECT_EQ(replayed().error().kind(), Kind::DataLoss);
}

TEST_F(RecipeTest, DamagedRecipesAreRefused) {
  Tar tar;
  const std::string bytes = tar.file("a", random_bytes(200)).file("a", "x").file("b", "y").bytes();
  ASSERT_TRUE(record(bytes).ok());
  std::string good(recipe_size(), '\0');
  ASSERT_EQ(::pread(recipe_.get(), good.data(), good.size(), 0), static_cast<ssize_t>(good.size()));
  for (std::size_t i = 0; i < good.size(); ++i) {
    recipe_ = memory();
    ASSERT_TRUE(sys::write_all(recipe_, good.substr(0, i)).ok());
    ASSERT_FALSE(replayed().ok()) << "cut at " << i;
    EXPECT_EQ(replayed().error().kind(), Kind::DataLoss);
  }
  for (std::size_t i = 0; i < good.size() * 8; ++i) {
    recipe_ = memory();
    std::string bad = good;
    bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << i % 8));
    ASSERT_TRUE(sys::write_all(recipe_, bad).ok());
    // Where the bit says nothing about the tar, or the digest shows what came of it, there is no error.
    const auto got = replayed();
    EXPECT_TRUE(got.ok() || got.error().kind() == Kind::DataLoss) << "bit " << i;
  }
}

TEST_F(RecipeTest, WorkersWriteAndFollowThem) {
  Tar tar;
  const std::string bytes = tar.file("f", random_bytes(100'000)).file("f", "again").bytes() + "tail";
  write("layer.tar", bytes);
  const sys::Fd in = *sys::open_file(path("layer.tar"), O_RDONLY);
  const sys::Fd out = *sys::open_file(path("out.tar"), O_WRONLY | O_CREAT);
  recipe_ = *sys::open_file(path("recipe"), O_RDWR | O_CREAT);
  Root root;
  root.directory = root_.get();
  const auto unpacked = unpack(in, root, "/", layer_options(), &recipe_);
  ASSERT_TRUE(unpacked.ok()) << unpacked.error().message();
  EXPECT_EQ(unpacked->tar_bytes, bytes.size());
  const auto packed = pack_layer(root_, &recipe_, out);
  ASSERT_TRUE(packed.ok()) << packed.error().message();
  EXPECT_EQ(packed->digest, unpacked->digest);
  EXPECT_EQ(packed->bytes, bytes.size());
  EXPECT_TRUE(read("out.tar") == bytes);
  // Without a recipe a layer's tar is the one that diff() makes.
  EXPECT_EQ(pack_layer(root_, nullptr, out)->digest, diff(root_)->diff_id);
}

}  // namespace
}  // namespace skiff::archive
