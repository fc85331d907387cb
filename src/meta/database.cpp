#include "meta/database.h"

#include "base/thread.h"
#include "meta/sqlite.h"

namespace skiff::meta {

namespace {

/// Reader connections kept open when nobody reads.
constexpr std::size_t kIdleReaders = 4;

void bind_text(sqlite3_stmt* statement, int index, std::string_view text) {
  // The caller's text outlives the step; an empty view may have no address, which SQLite would take as NULL.
  sqlite3_bind_text64(statement, index, text.data() ? text.data() : "", text.size(), SQLITE_STATIC,
                      SQLITE_UTF8);
}

std::string column(sqlite3_stmt* statement, int index) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, index));
  return {text ? text : "", static_cast<std::size_t>(sqlite3_column_bytes(statement, index))};
}

/// The smallest key that is greater than all keys starting with `prefix`; nothing when there is none.
std::optional<std::string> after_prefix(std::string_view prefix) {
  std::string bound(prefix);
  while (!bound.empty() && static_cast<unsigned char>(bound.back()) == 0xff) bound.pop_back();
  if (bound.empty()) return std::nullopt;
  bound.back() = static_cast<char>(static_cast<unsigned char>(bound.back()) + 1);
  return bound;
}

class SqliteTransaction final : public Transaction {
 public:
  SqliteTransaction(Connection& connection, bool writable) : connection_(connection), writable_(writable) {}

  Result<std::optional<std::string>> get(std::string_view table, std::string_view key) override {
    sqlite3_stmt* statement = TRY(connection_.prepare(Statement::Get));
    bind_text(statement, 1, table);
    bind_text(statement, 2, key);
    std::optional<std::string> record;
    const int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
      record = column(statement, 0);
    else if (code != SQLITE_DONE)
      return failed(statement, "get");
    sqlite3_reset(statement);
    return record;
  }

  Result<void> put(std::string_view table, std::string_view key, std::string_view record) override {
    sqlite3_stmt* statement = TRY(change(Statement::Put));
    bind_text(statement, 1, table);
    bind_text(statement, 2, key);
    bind_text(statement, 3, record);
    return finish(statement, "put");
  }

  Result<void> erase(std::string_view table, std::string_view key) override {
    sqlite3_stmt* statement = TRY(change(Statement::Erase));
    bind_text(statement, 1, table);
    bind_text(statement, 2, key);
    return finish(statement, "erase");
  }

  Result<std::vector<std::pair<std::string, std::string>>> scan(std::string_view table,
                                                                std::string_view prefix) override {
    const auto bound = after_prefix(prefix);
    sqlite3_stmt* statement = TRY(connection_.prepare(prefix.empty() ? Statement::ScanAll
                                                      : bound        ? Statement::ScanRange
                                                                     : Statement::ScanFrom));
    bind_text(statement, 1, table);
    if (!prefix.empty()) bind_text(statement, 2, prefix);
    if (!prefix.empty() && bound) bind_text(statement, 3, *bound);
    std::vector<std::pair<std::string, std::string>> records;
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
      records.emplace_back(column(statement, 0), column(statement, 1));
    if (code != SQLITE_DONE) return failed(statement, "scan");
    sqlite3_reset(statement);
    return records;
  }

 private:
  Result<sqlite3_stmt*> change(Statement statement) {
    if (!writable_) return Error(Kind::Internal, "database: a reading transaction cannot change records");
    return connection_.prepare(statement);
  }
  Error failed(sqlite3_stmt* statement, std::string_view what) {
    Error error = connection_.failure(what);
    sqlite3_reset(statement);
    return error;
  }
  Result<void> finish(sqlite3_stmt* statement, std::string_view what) {
    if (sqlite3_step(statement) != SQLITE_DONE) return failed(statement, what);
    sqlite3_reset(statement);
    return {};
  }

  Connection& connection_;
  bool writable_;
};

class SqliteDatabase final : public Database {
 public:
  SqliteDatabase(std::string path, std::unique_ptr<Connection> writer)
      : path_(std::move(path)), writer_(std::move(writer)) {}

  Result<void> write(const std::function<Result<void>(Transaction&)>& body, Durability durability) override {
    const MutexLock lock(write_mutex_);
    // Before BEGIN: inside a transaction the pragma has no effect.
    if (durability_ != durability) {
      TRY(writer_->run(durability == Durability::Full ? Statement::SynchronousFull
                                                      : Statement::SynchronousNormal));
      durability_ = durability;
    }
    TRY(writer_->run(Statement::BeginImmediate));
    SqliteTransaction transaction(*writer_, true);
    auto result = body(transaction);
    if (result) result = writer_->run(Statement::Commit);
    // A failed commit (disk full) may already have rolled back; then this fails too, which changes nothing.
    if (!result) (void)writer_->run(Statement::Rollback);
    return result;
  }

  Result<void> check() override {
    auto reader = TRY(take_reader());
    const auto found = TRY(reader->query_text("PRAGMA integrity_check(1)"));
    give_reader(std::move(reader));
    if (found == "ok") return {};
    return fail(Kind::DataLoss, "the database {} is damaged: {}", path_, found);
  }

  Result<void> read(const std::function<Result<void>(Transaction&)>& body) override {
    auto reader = TRY(take_reader());
    TRY(reader->run(Statement::Begin));
    SqliteTransaction transaction(*reader, false);
    auto result = body(transaction);
    auto end = reader->run(Statement::Commit);
    if (!end) return result ? end : result;
    give_reader(std::move(reader));
    return result;
  }

 private:
  Result<std::unique_ptr<Connection>> take_reader() {
    {
      const MutexLock lock(readers_mutex_);
      if (!readers_.empty()) {
        auto reader = std::move(readers_.back());
        readers_.pop_back();
        return reader;
      }
    }
    return Connection::open(path_, false);
  }
  void give_reader(std::unique_ptr<Connection> reader) {
    const MutexLock lock(readers_mutex_);
    if (readers_.size() < kIdleReaders) readers_.push_back(std::move(reader));
  }

  const std::string path_;
  Mutex write_mutex_;
  // Declared before the readers: closed last, so that its close checkpoints the log.
  const std::unique_ptr<Connection> writer_;
  std::optional<Durability> durability_ GUARDED_BY(write_mutex_);
  Mutex readers_mutex_;
  std::vector<std::unique_ptr<Connection>> readers_ GUARDED_BY(readers_mutex_);
};

}  // namespace

Result<std::unique_ptr<Database>> Database::open(const std::string& path) {
  auto writer = TRY(Connection::open(path, true));
  TRY(migrate(*writer, path));
  return std::make_unique<SqliteDatabase>(path, std::move(writer));
}

}  // namespace skiff::meta
