#include "build/ops/ops.h"

#include <sys/stat.h>

#include <gtest/gtest.h>

#include "archive/diff.h"
#include "base/ids.h"
#include "build/ops/frames.h"
#include "build/ops/rootfs.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::build {
namespace {

class NoOutput : public Sink {
 public:
  void write(Stream, std::string_view) override {}
};

/// COPY and WORKDIR on real overlay snapshots; runs as root.
class Ops : public testing::Test {
 protected:
  void SetUp() override {
    root_ = "/tmp/skiff-build-test-" + random_hex(6);
    ASSERT_TRUE(sys::make_directories(root_ + "/context/d/sub").ok());
    database_ = *meta::Database::open(root_ + "/db");
    snapshots_ = *snapshot::Store::open(root_ + "/snapshots", *database_);
    cache_ = std::make_unique<Cache>(*database_, *snapshots_);
    digester_ = std::make_unique<Digester>([this](const std::string& snapshot) -> Result<LayerFacts> {
      const sys::Fd layer = TRY(sys::open_directory(TRY(snapshots_->layer_directory(snapshot))));
      const archive::Diff diff = TRY(archive::diff(layer));
      return LayerFacts{diff.diff_id, diff.bytes};
    });
    put("f", "hello");
    put("d/a.txt", "A");
    put("d/sub/b", "B");
    ASSERT_EQ(symlink("../f", (root_ + "/context/d/link").c_str()), 0);
    context_ = *sys::open_directory(root_ + "/context");
  }
  void TearDown() override {
    digester_.reset();
    snapshots_.reset();
    database_.reset();
    ASSERT_TRUE(sys::remove_tree(root_).ok());
  }

  void put(const std::string& path, std::string_view text) {
    ASSERT_TRUE(sys::replace_file(root_ + "/context/" + path, text).ok());
  }

  /// Runs one operation on top of `base`; the key it had is left in key_.
  Result<Outcome> run(Operation operation, const std::string& base = "", const std::string* from = nullptr) {
    ignore_ = TRY(IgnoreRules::parse(ignore_text_));
    Workshop workshop{*snapshots_, *cache_, *digester_, nullptr, context_, ignore_, limits_};
    VertexOp op(workshop, operation, "container");
    std::vector<std::string> keys = {"base" + base};
    std::vector<Outcome> inputs = {{.snapshot = base}};
    if (from) {
      keys.push_back(*from);
      inputs.push_back({.snapshot = *from});
    }
    key_ = TRY(op.key(keys));
    NoOutput sink;
    const Cancellation cancellation(cancelled_, cancelled_);
    return op.run(key_, inputs, sink, cancellation);
  }
  CopyOperation copy(std::vector<std::string> sources, std::string destination) {
    return {.sources = std::move(sources), .destination = std::move(destination)};
  }
  std::string read(const std::string& snapshot, const std::string& path) {
    const auto view = open_rootfs(*snapshots_->mounts(snapshot));
    if (!view.ok()) return "error: " + view.error().message();
    const auto file = sys::open_in_root(*view, path, O_RDONLY);
    return file.ok() ? sys::read_all(*file).value_or("error") : "missing";
  }

  std::string root_;
  std::unique_ptr<meta::Database> database_;
  std::unique_ptr<snapshot::Store> snapshots_;
  std::unique_ptr<Cache> cache_;
  std::unique_ptr<Digester> digester_;
  sys::Fd context_;
  IgnoreRules ignore_;
  spec::LayerLimits limits_;
  std::string ignore_text_;
  std::string key_;
  std::atomic<bool> cancelled_{false};
};

TEST_F(Ops, CopiesAFileAndADirectory) {
  const auto first = run(copy({"f"}, "/etc/conf/f2"));
  ASSERT_TRUE(first.ok()) << first.error().message();
  EXPECT_TRUE(first->detail.starts_with("file:"));
  EXPECT_EQ(read(first->snapshot, "etc/conf/f2"), "hello");
  const auto second = run(copy({"d"}, "/dst"), first->snapshot);
  ASSERT_TRUE(second.ok()) << second.error().message();
  EXPECT_EQ(read(second->snapshot, "dst/sub/b"), "B");
  EXPECT_EQ(read(second->snapshot, "etc/conf/f2"), "hello");
  const auto third = run(copy({"f"}, "/dst"), second->snapshot);
  ASSERT_TRUE(third.ok()) << third.error().message();
  EXPECT_EQ(read(third->snapshot, "dst/f"), "hello");
  EXPECT_EQ(read(third->snapshot, "dst/link"), "missing");  // leads to /f, which is not there
}

TEST_F(Ops, WildcardsAndSeveralSources) {
  const auto outcome = run(copy({"d/*.txt", "f"}, "/x/"));
  ASSERT_TRUE(outcome.ok()) << outcome.error().message();
  EXPECT_TRUE(outcome->detail.starts_with("multi:"));
  EXPECT_EQ(read(outcome->snapshot, "x/a.txt"), "A");
  EXPECT_EQ(run(copy({"n*pe"}, "/x")).error().message(), "COPY failed: no source files were specified");
}

TEST_F(Ops, ErrorsHaveTheClassicWords) {
  EXPECT_EQ(run(copy({"nope"}, "/x")).error().message(),
            "COPY failed: file not found in build context or excluded by .dockerignore: stat nope: file does "
            "not exist");
  EXPECT_EQ(run(copy({"../x"}, "/x")).error().message(),
            "COPY failed: forbidden path outside the build context: ../x ()");
  ASSERT_EQ(symlink("/etc", (root_ + "/context/out").c_str()), 0);
  EXPECT_FALSE(run(copy({"out/passwd"}, "/x")).ok());
}

TEST_F(Ops, IgnoredFilesStayOut) {
  ignore_text_ = "d/sub\nf\n";
  const auto outcome = run(copy({"."}, "/x"));
  ASSERT_TRUE(outcome.ok()) << outcome.error().message();
  EXPECT_EQ(read(outcome->snapshot, "x/d/a.txt"), "A");
  EXPECT_EQ(read(outcome->snapshot, "x/d/sub/b"), "missing");
  EXPECT_FALSE(run(copy({"f"}, "/x")).ok());
}

TEST_F(Ops, KeysFollowContentNotTimes) {
  ASSERT_TRUE(run(copy({"d"}, "/x")).ok());
  const std::string before = key_;
  put("d/a.txt", "A");
  ASSERT_TRUE(run(copy({"d"}, "/x")).ok());
  EXPECT_EQ(key_, before);
  put("d/a.txt", "changed");
  ASSERT_TRUE(run(copy({"d"}, "/x")).ok());
  EXPECT_NE(key_, before);
}

TEST_F(Ops, OwnersAndModes) {
  CopyOperation operation = copy({"f"}, "/x");
  operation.owner = "7:8";
  operation.mode = 0640;
  const auto outcome = run(operation);
  ASSERT_TRUE(outcome.ok()) << outcome.error().message();
  struct stat status = {};
  ASSERT_EQ(stat((*snapshots_->layer_directory(outcome->snapshot) + "/x").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 7U);
  EXPECT_EQ(status.st_gid, 8U);
  EXPECT_EQ(status.st_mode & 07777, 0640U);
  operation.owner = "nobodyx";
  EXPECT_EQ(run(operation).error().message(),
            "unable to convert uid/gid chown string to host mapping: can't find uid for user nobodyx: no "
            "such user: nobodyx");
}

TEST_F(Ops, CopiesFromAnotherFileSystem) {
  const auto other = run(copy({"f"}, "/made/f"));
  ASSERT_TRUE(other.ok());
  const auto outcome = run(copy({"/made"}, "/got"), "", &other->snapshot);
  ASSERT_TRUE(outcome.ok()) << outcome.error().message();
  EXPECT_EQ(read(outcome->snapshot, "got/f"), "hello");
  EXPECT_EQ(run(copy({"/nope"}, "/x"), "", &other->snapshot).error().message(),
            "COPY failed: stat nope: file does not exist");
}

TEST_F(Ops, WorkdirMakesADirectoryOnce) {
  const auto first = run(DirectoryOperation{"/a/b"});
  ASSERT_TRUE(first.ok()) << first.error().message();
  EXPECT_FALSE(first->empty_layer);
  const auto second = run(DirectoryOperation{"/a/b"}, first->snapshot);
  ASSERT_TRUE(second.ok());
  EXPECT_TRUE(second->empty_layer);
  EXPECT_EQ(second->snapshot, first->snapshot);
}

TEST_F(Ops, InlineFiles) {
  CopyOperation operation = copy({}, "/x");
  operation.files = {{"EOF", "text\n"}};
  const auto outcome = run(operation);
  ASSERT_TRUE(outcome.ok()) << outcome.error().message();
  EXPECT_EQ(read(outcome->snapshot, "x"), "text\n");
}

TEST_F(Ops, TheCacheRemembersUntilTheSnapshotIsGone) {
  const auto remove = [&](const std::string& snapshot) { return snapshots_->remove(snapshot); };
  const auto outcome = run(copy({"f"}, "/x"));
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(*cache_->find(key_), outcome.value());
  ASSERT_TRUE(digester_->await(outcome->snapshot).ok());
  EXPECT_EQ(cache_->usage({})->entries, 1U);
  EXPECT_EQ(cache_->usage({outcome->snapshot})->entries, 0U) << "an image's layer is no use of the cache";
  EXPECT_TRUE(cache_->prune({outcome->snapshot}, false, {}, remove)->keys.empty());
  EXPECT_TRUE(*cache_->find(key_));
  EXPECT_TRUE(cache_->prune({}, false, outcome->created - std::chrono::seconds(1), remove)->keys.empty());
  EXPECT_EQ(cache_->prune({outcome->snapshot}, true, {}, remove)->keys, std::vector<std::string>{key_});
  EXPECT_FALSE(*cache_->find(key_));
  EXPECT_TRUE(snapshots_->info(outcome->snapshot).ok()) << "an image needs it";
  ASSERT_TRUE(cache_->store(key_, *outcome).ok());
  EXPECT_EQ(cache_->prune({}, false, {}, remove)->keys, std::vector<std::string>{key_});
  EXPECT_FALSE(*cache_->find(key_));
  EXPECT_FALSE(snapshots_->info(outcome->snapshot).ok());
}

TEST(Frames, ComeInAnyPieces) {
  struct Collect : Sink {
    std::string text;
    void write(Stream stream, std::string_view part) override {
      text += (stream == Stream::Error ? "E" : "O") + std::string(part);
    }
  } sink;
  FrameReader reader(sink);
  const std::string bytes = std::string("\1\0\0\0\0\0\0\2hi", 10) + std::string("\2\0\0\0\0\0\0\1!", 9);
  for (const char byte : bytes) reader.feed(std::string_view(&byte, 1));
  EXPECT_EQ(sink.text, "OhOiE!");
}

}  // namespace
}  // namespace skiff::build
