#include "meta/database.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <thread>

#include "meta/sqlite.h"

namespace skiff::meta {
namespace {

namespace fs = std::filesystem;

class DatabaseTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "skiff-meta-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::unique_ptr<Database> open(const std::string& name = "meta.db") {
    auto database = Database::open(directory_ + "/" + name);
    EXPECT_TRUE(database.ok()) << (database.ok() ? "" : database.error().message());
    return database.ok() ? std::move(database).value() : nullptr;
  }
  static void put(Database& database, std::string_view key, std::string_view record,
                  Durability durability = Durability::Full) {
    auto result = database.write([&](Transaction& transaction) { return transaction.put("t", key, record); },
                                 durability);
    ASSERT_TRUE(result.ok()) << result.error().message();
  }
  static std::optional<std::string> get(Database& database, std::string_view key) {
    std::optional<std::string> record;
    auto result = database.read([&](Transaction& transaction) -> Result<void> {
      record = TRY(transaction.get("t", key));
      return {};
    });
    EXPECT_TRUE(result.ok());
    return record;
  }

  std::string directory_;
};

TEST_F(DatabaseTest, RecordsComeBackAfterReopening) {
  put(*open(), "a", R"({"n":1})");
  EXPECT_EQ(get(*open(), "a"), R"({"n":1})");
  EXPECT_EQ(get(*open(), "b"), std::nullopt);
}

TEST_F(DatabaseTest, PutReplacesAndEraseForgets) {
  auto database = open();
  put(*database, "a", "1");
  put(*database, "a", "2");
  EXPECT_EQ(get(*database, "a"), "2");
  ASSERT_TRUE(database->write([](Transaction& t) { return t.erase("t", "a"); }).ok());
  EXPECT_EQ(get(*database, "a"), std::nullopt);
}

TEST_F(DatabaseTest, AnErrorRollsEverythingBack) {
  auto database = open();
  auto result = database->write([](Transaction& t) -> Result<void> {
    TRY(t.put("t", "a", "1"));
    return fail(Kind::Conflict, "no");
  });
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind(), Kind::Conflict);
  EXPECT_EQ(get(*database, "a"), std::nullopt);
  put(*database, "b", "2");
  EXPECT_EQ(get(*database, "b"), "2");
}

TEST_F(DatabaseTest, ScanGivesOnePrefixOfOneTableInKeyOrder) {
  auto database = open();
  for (const char* key : {"b/2", "b/1", "a", "c", "b/\xff\xff", "b0"}) put(*database, key, key);
  ASSERT_TRUE(database->write([](Transaction& t) { return t.put("other", "b/3", "x"); }).ok());
  std::vector<std::string> keys;
  std::vector<std::string> high;
  std::size_t all = 0;
  ASSERT_TRUE(database
                  ->read([&](Transaction& t) -> Result<void> {
                    for (auto& [key, record] : TRY(t.scan("t", "b/"))) keys.push_back(key);
                    for (auto& [key, record] : TRY(t.scan("t", "b/\xff"))) high.push_back(key);
                    all = TRY(t.scan("t")).size();
                    return {};
                  })
                  .ok());
  EXPECT_EQ(keys, (std::vector<std::string>{"b/1", "b/2", "b/\xff\xff"}));
  EXPECT_EQ(high, (std::vector<std::string>{"b/\xff\xff"}));
  EXPECT_EQ(all, 6u);
}

TEST_F(DatabaseTest, AReaderSeesOneMomentAndCannotWrite) {
  auto database = open();
  put(*database, "a", "old");
  ASSERT_TRUE(database
                  ->read([&](Transaction& t) -> Result<void> {
                    EXPECT_EQ(TRY(t.get("t", "a")), "old");
                    put(*database, "a", "new");
                    EXPECT_EQ(TRY(t.get("t", "a")), "old");
                    EXPECT_FALSE(t.put("t", "a", "x").ok());
                    return {};
                  })
                  .ok());
  EXPECT_EQ(get(*database, "a"), "new");
}

TEST_F(DatabaseTest, WhatWasAcknowledgedSurvivesACrash) {
  auto database = open();
  put(*database, "full", "1");
  put(*database, "relaxed", "2", Durability::Relaxed);
  // A crash: the files as they are on disk at this instant, without a close.
  for (const char* suffix : {"", "-wal"})
    fs::copy_file(directory_ + "/meta.db" + suffix, directory_ + "/crashed.db" + suffix);
  auto crashed = open("crashed.db");
  EXPECT_EQ(get(*crashed, "full"), "1");
  EXPECT_EQ(get(*crashed, "relaxed"), "2");
}

TEST_F(DatabaseTest, ATornLogTailLosesOnlyTheTornTransaction) {
  auto database = open();
  put(*database, "first", "1");
  const auto before = fs::file_size(directory_ + "/meta.db-wal");
  put(*database, "second", "2");
  for (const char* suffix : {"", "-wal"})
    fs::copy_file(directory_ + "/meta.db" + suffix, directory_ + "/torn.db" + suffix);
  fs::resize_file(directory_ + "/torn.db-wal", before + 100);
  auto torn = open("torn.db");
  EXPECT_EQ(get(*torn, "first"), "1");
  EXPECT_EQ(get(*torn, "second"), std::nullopt);
}

TEST_F(DatabaseTest, ANewerSchemaIsRefusedInASentence) {
  open();
  {
    auto connection = Connection::open(directory_ + "/meta.db", true);
    ASSERT_TRUE(connection.ok());
    ASSERT_TRUE((*connection)->execute("PRAGMA user_version = 1000").ok());
  }
  auto database = Database::open(directory_ + "/meta.db");
  ASSERT_FALSE(database.ok());
  EXPECT_EQ(database.error().kind(), Kind::Unsupported);
  EXPECT_NE(database.error().message().find("written by a newer Skiff"), std::string::npos);
}

TEST_F(DatabaseTest, SomethingThatIsNoDatabaseIsNamed) {
  FILE* file = fopen((directory_ + "/meta.db").c_str(), "w");
  for (int i = 0; i < 500; ++i) fputs("garbage garbage ", file);
  fclose(file);
  auto database = Database::open(directory_ + "/meta.db");
  ASSERT_FALSE(database.ok());
  EXPECT_EQ(database.error().kind(), Kind::DataLoss);
  EXPECT_NE(database.error().message().find("meta.db"), std::string::npos);
}

TEST_F(DatabaseTest, WhatTheSystemSaidIsToldToo) {
  const auto missing = Database::open(directory_ + "/no/such/meta.db");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code(), ENOENT);
  EXPECT_TRUE(missing.error().message().ends_with(
      "/no/such/meta.db: open: unable to open database file: no such file or directory"))
      << missing.error().message();
}

TEST_F(DatabaseTest, ACheckFindsADamagedPage) {
  {
    auto database = open();
    for (int i = 0; i < 500; ++i) put(*database, fmt::format("key{}", i), std::string(200, 'x'));
    EXPECT_TRUE(database->check().ok());
  }
  FILE* file = fopen((directory_ + "/meta.db").c_str(), "r+");
  fseek(file, 4 * 4096, SEEK_SET);
  for (int i = 0; i < 4096; ++i) fputc(0xff, file);
  fclose(file);
  auto database = open();
  const auto checked = database->check();
  ASSERT_FALSE(checked.ok());
  EXPECT_EQ(checked.error().kind(), Kind::DataLoss);
  EXPECT_NE(checked.error().message().find("meta.db is damaged"), std::string::npos);
}

TEST_F(DatabaseTest, ManyThreadsWriteAndReadAtOnce) {
  auto database = open();
  std::vector<std::thread> threads;
  for (int n = 0; n < 4; ++n) {
    threads.emplace_back([&, n] {
      for (int i = 0; i < 50; ++i) {
        const std::string key = fmt::format("{}-{}", n, i);
        put(*database, key, key, Durability::Relaxed);
        EXPECT_EQ(get(*database, key), key);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::size_t count = 0;
  ASSERT_TRUE(database
                  ->read([&](Transaction& t) -> Result<void> {
                    count = TRY(t.scan("t")).size();
                    return {};
                  })
                  .ok());
  EXPECT_EQ(count, 200u);
}

}  // namespace
}  // namespace skiff::meta
