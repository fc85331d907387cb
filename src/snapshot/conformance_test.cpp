#include "snapshot/conformance_test.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "archive/tar_writer.h"
#include "archive/worker.h"
#include "snapshot/served.h"
#include "snapshot/trash.h"
#include "sys/detached_mount.h"
#include "sys/file.h"

// What every snapshot::Store must do. The trees are written and read through their mounts, by archive
// workers.
namespace skiff::snapshot {
namespace {

namespace fs = std::filesystem;
using testing::Implementation;

class SnapshotConformance : public ::testing::TestWithParam<Implementation> {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "skiff-snapshot-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    base_ = name;
    database_ = std::move(*meta::Database::open(base_ + "/meta.db"));
    restart();
  }
  void TearDown() override {
    store_.reset();
    database_.reset();
    fs::remove_all(base_);
  }
  void restart() {
    store_.reset();
    auto opened = GetParam().open(base_ + "/snapshots", *database_);
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    store_ = std::move(*opened);
  }

  Result<void> write(const std::string& key, const std::string& name, const std::string& data) {
    std::string bytes;
    archive::TarWriter tar([&](std::string_view piece) -> Result<void> {
      bytes += piece;
      return {};
    });
    archive::Entry entry;
    entry.path = name;
    entry.mode = 0644;
    entry.size = data.size();
    TRY(tar.header(entry));
    TRY(tar.data(data));
    TRY(tar.finish());
    TRY(sys::replace_file(base_ + "/in.tar", bytes));
    const sys::Fd file = TRY(sys::open_file(base_ + "/in.tar", O_RDONLY));
    archive::Root root;
    root.mounts = TRY(store_->mounts(key));
    TRY(archive::unpack(file, root, "/", archive::layer_options()));
    return {};
  }
  /// The file's content as the mounts show it; "-" when it is not there.
  std::string read(const std::string& key, const std::string& name) {
    auto mounts = store_->mounts(key);
    if (!mounts) return "<" + mounts.error().message() + ">";
    archive::Root root;
    root.mounts = *mounts;
    const sys::Fd out = *sys::open_file(base_ + "/out.tar", O_RDWR | O_CREAT | O_TRUNC);
    auto packed = archive::pack(root, name, out);
    if (!packed) return packed.error().kind() == Kind::NotFound ? "-" : "<" + packed.error().message() + ">";
    auto bytes = *sys::read_file(base_ + "/out.tar");
    return bytes.substr(512, bytes.find('\0', 512) - 512);
  }
  void prepare(const std::string& key, const std::string& parent) {
    auto mounts = store_->prepare(key, parent);
    ASSERT_TRUE(mounts.ok()) << mounts.error().message();
    ASSERT_FALSE(mounts->empty());
    EXPECT_EQ(mounts->front().destination, "");
  }
  /// A committed layer with one file.
  void layer(const std::string& key, const std::string& parent, const std::string& name,
             const std::string& data) {
    prepare("active-" + key, parent);
    auto written = write("active-" + key, name, data);
    ASSERT_TRUE(written.ok()) << written.error().message();
    ASSERT_TRUE(store_->commit("active-" + key, key).ok());
  }

  using Records = std::vector<std::pair<std::string, std::string>>;
  Records records() {
    Records found;
    EXPECT_TRUE(database_
                    ->read([&](meta::Transaction& transaction) -> Result<void> {
                      found = TRY(transaction.scan("snapshots"));
                      return {};
                    })
                    .ok());
    return found;
  }
  void set_records(const Records& wanted) {
    EXPECT_TRUE(database_
                    ->write([&](meta::Transaction& transaction) -> Result<void> {
                      for (const auto& [key, text] : wanted) TRY(transaction.put("snapshots", key, text));
                      return {};
                    })
                    .ok());
  }

  std::string base_;
  std::unique_ptr<meta::Database> database_;
  std::unique_ptr<Store> store_;
};

TEST_P(SnapshotConformance, AnEmptyTreeCanBeWrittenAndRead) {
  prepare("c", "");
  ASSERT_TRUE(write("c", "hello", "world").ok());
  EXPECT_EQ(read("c", "/hello"), "world");
  EXPECT_EQ(store_->info("c")->state, State::Active);
  EXPECT_EQ(store_->info("c")->parent, "");
}

TEST_P(SnapshotConformance, AFolderIsAdoptedOnTopOfAParent) {
  layer("l1", "", "a", "from l1");
  const std::string scratch = *store_->scratch();
  fs::create_directories(scratch + "/one/fs");
  std::ofstream(scratch + "/one/fs/b") << "adopted";
  std::ofstream(scratch + "/one/note-x") << "a note";
  fs::create_directory(scratch + "/none");
  fs::create_symlink("/etc", scratch + "/link");
  ASSERT_TRUE(store_->adopt(scratch + "/one", "l2", "l1").ok());
  EXPECT_EQ(store_->info("l2")->state, State::Committed);
  EXPECT_EQ(read("l2", "/a"), "from l1");
  EXPECT_EQ(read("l2", "/b"), "adopted");
  EXPECT_EQ(*sys::read_file(*store_->note("l2", "x")), "a note");
  EXPECT_FALSE(sys::exists(scratch + "/one"));
  EXPECT_EQ(store_->adopt(scratch + "/none", "l3", "l2").error().kind(), Kind::NotFound);
  EXPECT_EQ(store_->adopt(scratch + "/link", "l3", "l2").error().kind(), Kind::InvalidArgument);
  fs::create_directories(scratch + "/two/fs");
  EXPECT_EQ(store_->adopt(scratch + "/two", "l2", "").error().kind(), Kind::Conflict);
  EXPECT_EQ(store_->adopt(scratch + "/two", "l3", "nowhere").error().kind(), Kind::NotFound);
  prepare("active", "l2");
  EXPECT_EQ(store_->adopt(scratch + "/two", "l3", "active").error().kind(), Kind::Conflict);
  // What is left of the scratch folder goes, at once or after a crash.
  store_->discard(scratch);
  EXPECT_FALSE(sys::exists(scratch));
  const std::string lost = *store_->scratch();
  restart();
  EXPECT_FALSE(sys::exists(lost));
  EXPECT_EQ(read("l2", "/b"), "adopted");
}

TEST_P(SnapshotConformance, AnActiveOneIsShownBesideItsWriter) {
  layer("l1", "", "a", "1");
  prepare("c", "l1");
  ASSERT_TRUE(write("c", "b", "2").ok());
  archive::Root root;
  root.mounts = *store_->frozen("c");
  const sys::Fd out = *sys::open_file(base_ + "/out.tar", O_RDWR | O_CREAT | O_TRUNC);
  ASSERT_TRUE(archive::pack(root, "/", out, archive::PackNames::Inside).ok());
  const std::string bytes = *sys::read_file(base_ + "/out.tar");
  EXPECT_EQ(bytes.substr(0, 2), std::string("a\0", 2));
  EXPECT_EQ(bytes.substr(1024, 2), std::string("b\0", 2));
  EXPECT_EQ(store_->info("c")->state, State::Active);
  ASSERT_TRUE(write("c", "d", "3").ok());
}

TEST_P(SnapshotConformance, AChildSeesItsParentsAndChangesOnlyItself) {
  layer("l1", "", "a", "from l1");
  layer("l2", "l1", "b", "from l2");
  prepare("c", "l2");
  ASSERT_TRUE(write("c", "a", "from c").ok());
  EXPECT_EQ(read("c", "/a"), "from c");
  EXPECT_EQ(read("c", "/b"), "from l2");
  EXPECT_EQ(read("l2", "/a"), "from l1");
  EXPECT_EQ(read("l1", "/b"), "-");
}

TEST_P(SnapshotConformance, ALayerDirectoryHoldsOnlyTheLayersOwnFiles) {
  layer("l1", "", "a", "1");
  layer("l2", "l1", "b", "2");
  const std::string directory = *store_->layer_directory("l2");
  EXPECT_FALSE(sys::exists(directory + "/a"));
  EXPECT_TRUE(sys::exists(directory + "/b"));
}

TEST_P(SnapshotConformance, DeletionsAreLayersToo) {
  layer("l1", "", "a", "1");
  prepare("x", "l1");
  // As a layer is unpacked: straight into the folder of its own files.
  ASSERT_EQ(::mknod((*store_->layer_directory("x") + "/a").c_str(), S_IFCHR, 0), 0);
  ASSERT_TRUE(store_->commit("x", "l2").ok());
  prepare("c", "l2");
  EXPECT_EQ(read("c", "/a"), "-");
  EXPECT_EQ(read("l1", "/a"), "1");
}

TEST_P(SnapshotConformance, CommittedSnapshotsAreReadOnly) {
  layer("l1", "", "a", "1");
  layer("l2", "l1", "b", "2");
  EXPECT_FALSE(write("l1", "x", "x").ok());
  EXPECT_FALSE(write("l2", "x", "x").ok());
  EXPECT_EQ(store_->commit("l1", "again").error().kind(), Kind::Conflict);
}

TEST_P(SnapshotConformance, KeysAreUniqueAndUnknownOnesNotFound) {
  prepare("c", "");
  layer("l", "", "a", "1");
  EXPECT_EQ(store_->prepare("c", "").error().kind(), Kind::Conflict);
  EXPECT_EQ(store_->commit("c", "l").error().kind(), Kind::Conflict);
  EXPECT_EQ(store_->prepare("d", "nowhere").error().kind(), Kind::NotFound);
  EXPECT_EQ(store_->prepare("d", "c").error().kind(), Kind::Conflict);
  EXPECT_EQ(store_->mounts("nowhere").error().kind(), Kind::NotFound);
  EXPECT_EQ(store_->info("nowhere").error().kind(), Kind::NotFound);
  EXPECT_EQ(store_->remove("nowhere").error().kind(), Kind::NotFound);
  EXPECT_EQ(store_->commit("nowhere", "x").error().kind(), Kind::NotFound);
  EXPECT_EQ(store_->info("active-l").error().kind(), Kind::NotFound);
}

TEST_P(SnapshotConformance, ParentsStayWhileTheyHaveChildren) {
  layer("l1", "", "a", "1");
  prepare("c", "l1");
  EXPECT_EQ(store_->remove("l1").error().kind(), Kind::Conflict);
  ASSERT_TRUE(store_->remove("c").ok());
  EXPECT_TRUE(store_->remove("l1").ok());
  EXPECT_TRUE(store_->list()->empty());
}

TEST_P(SnapshotConformance, ChainsFindTheirSnapshots) {
  layer("l1", "", "a", "1");
  layer("twin", "", "a", "1");
  const auto chain = spec::Digest::of("layer");
  EXPECT_EQ(*store_->find_chain(chain), std::nullopt);
  ASSERT_TRUE(store_->set_chain("l1", chain, 1).ok());
  ASSERT_TRUE(store_->set_chain("twin", chain, 1).ok());
  EXPECT_TRUE(store_->find_chain(chain)->has_value());
  EXPECT_EQ(store_->info("l1")->chain_id, chain);
  EXPECT_EQ(store_->info("l1")->bytes, 1u);
  ASSERT_TRUE(store_->remove("l1").ok());
  EXPECT_EQ(*store_->find_chain(chain), "twin");
  ASSERT_TRUE(store_->remove("twin").ok());
  EXPECT_EQ(*store_->find_chain(chain), std::nullopt);
  prepare("c", "");
  EXPECT_EQ(store_->set_chain("c", chain, 1).error().kind(), Kind::Conflict);
}

TEST_P(SnapshotConformance, EverythingIsThereAfterARestart) {
  layer("l1", "", "a", "1");
  ASSERT_TRUE(store_->set_chain("l1", spec::Digest::of("x"), 1).ok());
  prepare("c", "l1");
  ASSERT_TRUE(write("c", "b", "2").ok());
  ASSERT_TRUE(store_->sync().ok());
  restart();
  EXPECT_EQ(store_->list()->size(), 2u);
  EXPECT_EQ(read("c", "/a"), "1");
  EXPECT_EQ(read("c", "/b"), "2");
  EXPECT_EQ(*store_->find_chain(spec::Digest::of("x")), "l1");
  EXPECT_EQ(store_->remove("l1").error().kind(), Kind::Conflict);
}

TEST_P(SnapshotConformance, ManyThreadsPrepareAndRemove) {
  layer("l1", "", "a", "1");
  std::vector<std::thread> threads;
  for (int n = 0; n < 4; ++n) {
    threads.emplace_back([&, n] {
      for (int i = 0; i < 20; ++i) {
        const std::string key = fmt::format("{}-{}", n, i);
        EXPECT_TRUE(store_->prepare(key, "l1").ok());
        EXPECT_TRUE(store_->remove(key).ok());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(store_->list()->size(), 1u);
}

TEST_P(SnapshotConformance, ManyLayersMount) {
  std::string parent;
  for (int i = 0; i < 120; ++i) {
    const std::string key = fmt::format("l{}", i);
    prepare("a" + key, parent);
    std::ofstream(*store_->layer_directory("a" + key) + "/" + key) << i;
    ASSERT_TRUE(store_->commit("a" + key, key).ok());
    parent = key;
  }
  prepare("top", parent);
  EXPECT_EQ(read("top", "/l0"), "0");
  EXPECT_EQ(read("top", "/l119"), "119");
}

INSTANTIATE_TEST_SUITE_P(Stores, SnapshotConformance,
                         ::testing::Values(Implementation{"overlay", &Store::open}),
                         [](const auto& parameter) { return parameter.param.name; });

class OverlayStore : public SnapshotConformance {};
INSTANTIATE_TEST_SUITE_P(Only, OverlayStore, ::testing::Values(Implementation{"overlay", &Store::open}),
                         [](const auto& parameter) { return parameter.param.name; });

std::size_t folders(const std::string& path) { return sys::list_directory(path)->size(); }

TEST_P(OverlayStore, RemovedFilesGoBehindTheCallersBack) {
  prepare("c", "");
  ASSERT_TRUE(write("c", "x", "x").ok());
  ASSERT_TRUE(store_->remove("c").ok());
  EXPECT_EQ(folders(base_ + "/snapshots"), 1u);  // the trash itself
}

TEST_P(OverlayStore, DeletionGoesOnAfterARestart) {
  store_.reset();
  fs::create_directories(base_ + "/snapshots/trash/half/deleted");
  auto trash = Trash::open(base_ + "/snapshots/trash");
  ASSERT_TRUE(trash.ok());
  (*trash)->drain();
  EXPECT_EQ(folders(base_ + "/snapshots/trash"), 0u);
}

TEST_P(OverlayStore, WhatCannotBeDeletedIsTriedAgainWithTheNext) {
  store_.reset();
  std::ofstream(base_ + "/folder") << "none";
  fs::create_directories(base_ + "/next");
  const auto trash = Trash::open(base_ + "/snapshots/trash");
  ASSERT_TRUE(trash.ok());
  (*trash)->take_sometime(base_ + "/folder/files");
  fs::remove(base_ + "/folder");
  fs::create_directories(base_ + "/folder/files");
  (*trash)->take_sometime(base_ + "/next");
  (*trash)->drain();
  EXPECT_FALSE(sys::exists(base_ + "/folder/files"));
  EXPECT_FALSE(sys::exists(base_ + "/next"));
  EXPECT_EQ(folders(base_ + "/snapshots/trash"), 0u);
}

TEST_P(OverlayStore, FoldersWithoutARecordAndRecordsWithoutAFolderGo) {
  layer("l1", "", "a", "1");
  prepare("c", "l1");
  const std::string lost = fs::path(*store_->layer_directory("c")).parent_path();
  store_.reset();
  fs::create_directories(base_ + "/snapshots/0123456789ab/fs");
  fs::remove_all(lost);
  restart();
  EXPECT_FALSE(sys::exists(base_ + "/snapshots/0123456789ab"));
  EXPECT_EQ(store_->info("c").error().kind(), Kind::NotFound);
  EXPECT_EQ(read("l1", "/a"), "1");
}

TEST_P(OverlayStore, WhatIsForgottenForLackOfFilesLeavesNothing) {
  prepare("c", "");
  ASSERT_TRUE(store_->commit("c", "l").ok());  // not synced
  const std::string files = *store_->layer_directory("l");
  const std::string folder = fs::path(files).parent_path();
  store_.reset();
  fs::remove_all(files);
  fs::create_directories(folder + "/work");
  restart();
  EXPECT_FALSE(sys::exists(folder));
  ASSERT_TRUE(store_->sync().ok());
  restart();
  EXPECT_TRUE(store_->list()->empty());
}

TEST_P(SnapshotConformance, DamagedLayersAreNotFoundUntilTheyAreExchanged) {
  const auto chain = spec::Digest::of("lower");
  const auto upper = spec::Digest::of("upper");
  layer("bad", "", "a", "x");
  layer("top", "bad", "b", "2");
  prepare("stopped", "top");
  ASSERT_TRUE(store_->set_chain("bad", chain, 1).ok());
  ASSERT_TRUE(store_->set_chain("top", upper, 1).ok());
  ASSERT_TRUE(store_->set_damage("bad", "its contents changed").ok());
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(*store_->find_chain(chain), std::nullopt);
    EXPECT_EQ(*store_->find_chain(upper), std::nullopt) << "what stands on it is not whole either";
    EXPECT_EQ(store_->info("bad")->damage, "its contents changed");
    EXPECT_EQ(store_->sound("bad").error().kind(), Kind::DataLoss);
    EXPECT_TRUE(store_->sound("top").ok());
    restart();
  }
  layer("good", "", "a", "1");
  const auto refused = store_->exchange("bad", "good", {});
  ASSERT_EQ(refused.error().kind(), Kind::Conflict);
  EXPECT_EQ(refused.error().message(), "snapshot bad is in use by stopped");
  EXPECT_EQ(store_->exchange("bad", "stopped", {"stopped"}).error().kind(), Kind::Conflict);
  ASSERT_TRUE(store_->exchange("bad", "good", {"stopped"}).ok());
  EXPECT_EQ(read("stopped", "/a") + read("stopped", "/b"), "12");
  EXPECT_EQ(*store_->find_chain(upper), "top");
  ASSERT_TRUE(store_->remove("good").ok());
  restart();
  EXPECT_EQ(read("stopped", "/a"), "1");
  EXPECT_TRUE(store_->sound("bad").ok());
}

TEST_P(SnapshotConformance, ALayerWhoseFolderIsGoneKeepsItsPlace) {
  const auto chain = spec::Digest::of("chain");
  layer("l1", "", "a", "1");
  layer("l2", "l1", "b", "2");
  prepare("c", "l2");
  ASSERT_TRUE(store_->set_chain("l1", chain, 1).ok());
  fs::remove_all(fs::path(*store_->layer_directory("l1")).parent_path());
  for (int time = 0; time < 2; ++time) {
    EXPECT_EQ(*store_->find_chain(chain), std::nullopt);
    for (const auto& error :
         {store_->sound("l1").error(), store_->mounts("c").error(), store_->prepare("other", "l1").error()}) {
      EXPECT_EQ(error.kind(), Kind::DataLoss);
      EXPECT_TRUE(error.message().starts_with("layer " + chain.to_string() + " is damaged: its folder "))
          << error.message();
    }
    restart();
  }
  layer("again", "", "a", "1");
  ASSERT_TRUE(store_->exchange("l1", "again", {"c"}).ok());
  ASSERT_TRUE(store_->remove("again").ok());
  EXPECT_EQ(read("c", "/a") + read("c", "/b"), "12");
}

TEST_P(OverlayStore, WhatWasNeverSyncedIsNotTrustedAfterTheMachineWentDown) {
  layer("safe", "", "a", "1");
  ASSERT_TRUE(store_->sync().ok());
  layer("unsafe", "safe", "b", "2");
  // As a kill leaves it: the records as they are now, without an orderly end.
  const auto before = records();
  restart();
  EXPECT_EQ(read("unsafe", "/b"), "2");
  store_.reset();
  set_records(before);
  restart();
  EXPECT_EQ(read("unsafe", "/b"), "2") << "the engine alone was killed";
  store_.reset();
  set_records(before);
  ASSERT_TRUE(database_
                  ->write([](meta::Transaction& transaction) {
                    return transaction.put("snapshot_boot", "id", "another");
                  })
                  .ok());
  restart();
  EXPECT_EQ(store_->info("unsafe").error().kind(), Kind::NotFound);
  EXPECT_EQ(read("safe", "/a"), "1");
  EXPECT_EQ(folders(base_ + "/snapshots"), 2u);
}

TEST_P(OverlayStore, TheRootFoldersModeIsInherited) {
  prepare("a", "");
  ASSERT_EQ(::chmod(store_->layer_directory("a")->c_str(), 0711), 0);
  ASSERT_EQ(::chown(store_->layer_directory("a")->c_str(), 7, 8), 0);
  ASSERT_TRUE(store_->commit("a", "l").ok());
  prepare("c", "l");
  struct stat status {};
  ASSERT_EQ(::stat(store_->layer_directory("c")->c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0711u);
  EXPECT_EQ(status.st_uid, 7u);
  EXPECT_EQ(status.st_gid, 8u);
}

TEST_P(OverlayStore, MountsWithoutSyncsCanBeHadAgain) {
  layer("l1", "", "a", "1");
  prepare("c", "l1");
  const auto options = store_->mounts("c", Syncs::Ignored)->front().options;
  EXPECT_NE(std::find(options.begin(), options.end(), "volatile"), options.end());
  EXPECT_TRUE(sys::mount_detached("overlay", "overlay", options).ok());
  EXPECT_FALSE(sys::mount_detached("overlay", "overlay", options).ok());  // the kernel's mark of the first
  const auto again = store_->mounts("c", Syncs::Ignored)->front().options;
  EXPECT_TRUE(sys::mount_detached("overlay", "overlay", again).ok());
  const auto committed = store_->mounts("l1", Syncs::Ignored)->front().options;
  EXPECT_EQ(std::find(committed.begin(), committed.end(), "volatile"), committed.end());
}

TEST_P(OverlayStore, MountsNameTheTopmostLayerFirst) {
  layer("l1", "", "a", "1");
  layer("l2", "l1", "a", "2");
  const auto mounts = *store_->prepare("c", "l2");
  std::vector<std::string> lowers;
  for (const auto& option : mounts[0].options)
    if (option.starts_with("lowerdir+=")) lowers.push_back(option.substr(10));
  EXPECT_EQ(lowers,
            (std::vector<std::string>{*store_->layer_directory("l2"), *store_->layer_directory("l1")}));
  EXPECT_EQ(read("c", "/a"), "2");
  EXPECT_EQ(store_->mounts("l1")->front().type, "bind");
}

Result<void> mount_coming(const std::string& directory, std::string_view text) {
  TRY(make_served_place(directory));
  const std::string place = directory + "/" + kComingPlace;
  if (::mount("served", place.c_str(), "tmpfs", 0, nullptr) != 0) return fail_errno("mount");
  return sys::write_file_atomic(place + "/b", text);
}

TEST_P(OverlayStore, ServedFilesAreShownWhereTheyAreMounted) {
  layer("l1", "", "a", "1");
  const std::string scratch = *store_->scratch();
  ASSERT_TRUE(sys::make_directories(scratch + "/layer/fs").ok());
  ASSERT_TRUE(sys::write_file_atomic(scratch + "/layer/note-lazy", "x").ok());
  ASSERT_TRUE(store_->adopt_served(scratch + "/layer", "l2", "l1").ok());
  const auto chain = spec::Digest::of("l2");
  ASSERT_TRUE(store_->set_chain("l2", chain, 5).ok());
  EXPECT_FALSE(*store_->find_chain(chain)) << "nobody has compared it";
  EXPECT_EQ(store_->prepare("c", "l2").error().kind(), Kind::Unavailable) << "nobody serves it";
  std::vector<std::string> asked;
  store_->set_serve([&](const std::vector<std::string>& directories) -> Result<void> {
    asked = directories;
    for (const auto& directory : directories) {
      TRY(mount_coming(directory, "2"));
      TRY(show_served_place(directory));
    }
    return {};
  });
  const std::string directory = store_->info("l2")->directory;
  prepare("c", "l2");
  EXPECT_EQ(asked, std::vector<std::string>{directory});
  EXPECT_EQ(read("c", "/a"), "1");
  EXPECT_EQ(read("c", "/b"), "2");
  // Its files come: they are shown from now on, and what is mounted stays a little.
  ASSERT_TRUE(sys::make_directories(scratch + "/whole/fs").ok());
  ASSERT_TRUE(sys::write_file_atomic(scratch + "/whole/fs/b", "whole").ok());
  ASSERT_TRUE(sys::write_file_atomic(scratch + "/whole/note-recipe", "r").ok());
  ASSERT_TRUE(store_->fill("l2", scratch + "/whole").ok());
  EXPECT_EQ(read("c", "/b"), "whole");
  EXPECT_TRUE(sys::exists(directory + "/" + kServedPlace + "/b"));
  EXPECT_FALSE(sys::exists(directory + "/note-lazy"));
  EXPECT_EQ(*sys::read_file(*store_->note("l2", "recipe")), "r");
  EXPECT_EQ(**store_->find_chain(chain), "l2");
  EXPECT_EQ(store_->fill("l2", scratch + "/whole").error().kind(), Kind::Conflict);
  ASSERT_TRUE(store_->end_serving("l2").ok());
  EXPECT_FALSE(sys::exists(directory + "/lazy"));
  restart();
  EXPECT_FALSE(store_->info("l2")->served);
  EXPECT_EQ(read("c", "/b"), "whole");
}

TEST_P(OverlayStore, APlaceIsShownOnlyWithItsFiles) {
  const std::string directory = base_ + "/place";
  const std::string shown = directory + "/" + kServedPlace;
  ASSERT_TRUE(mount_coming(directory, "old").ok());
  EXPECT_FALSE(sys::exists(shown));
  ASSERT_TRUE(show_served_place(directory).ok());
  EXPECT_EQ(*sys::read_file(shown + "/b"), "old");
  // Another one takes its place at once; whoever has the old one keeps it.
  const sys::Fd held = *sys::open_directory(shown);
  ASSERT_TRUE(make_served_place(directory).ok());
  EXPECT_EQ(*sys::read_file(shown + "/b"), "old") << "as long as there is no other";
  ASSERT_TRUE(mount_coming(directory, "new").ok());
  EXPECT_EQ(*sys::read_file(shown + "/b"), "old");
  ASSERT_TRUE(show_served_place(directory).ok());
  EXPECT_EQ(*sys::read_file(shown + "/b"), "new");
  EXPECT_EQ(::faccessat(held.get(), "b", F_OK, 0), 0);
  EXPECT_EQ(show_served_place(directory).error().kind(), Kind::NotFound);
  ASSERT_TRUE(mount_coming(directory, "unwanted").ok());
  ASSERT_TRUE(drop_coming_place(directory).ok());
  EXPECT_EQ(*sys::read_file(shown + "/b"), "new");
  ASSERT_TRUE(mount_coming(directory, "unwanted").ok());
  ASSERT_TRUE(remove_served_place(directory).ok());
  EXPECT_TRUE(sys::list_directory(directory)->empty());
}

TEST_P(OverlayStore, WhatIsServedIsTakenDownWithTheSnapshotAndTheStore) {
  const auto adopt = [&](const std::string& key) {
    const std::string scratch = *store_->scratch();
    ASSERT_TRUE(sys::make_directories(scratch + "/layer/fs").ok());
    ASSERT_TRUE(store_->adopt_served(scratch + "/layer", key, "").ok());
    const std::string directory = store_->info(key)->directory;
    ASSERT_TRUE(mount_coming(directory, "1").ok());
    ASSERT_TRUE(show_served_place(directory).ok());
    ASSERT_TRUE(mount_coming(directory, "2").ok());
  };
  const auto mounts = [&] {
    const std::string all = *sys::read_file("/proc/self/mountinfo");
    return all.find(base_ + "/snapshots") != std::string::npos;
  };
  adopt("l1");
  EXPECT_TRUE(mounts());
  ASSERT_TRUE(store_->remove("l1").ok());
  EXPECT_FALSE(mounts());
  adopt("l2");
  restart();
  EXPECT_FALSE(mounts());
  EXPECT_TRUE(store_->info("l2")->served);
}

}  // namespace
}  // namespace skiff::snapshot
