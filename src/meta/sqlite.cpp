#include "meta/sqlite.h"

namespace skiff::meta {

namespace {

constexpr std::array<const char*, static_cast<std::size_t>(Statement::Count)> kStatementTexts = {
    "BEGIN",
    "BEGIN IMMEDIATE",
    "COMMIT",
    "ROLLBACK",
    "PRAGMA synchronous = FULL",
    "PRAGMA synchronous = NORMAL",
    "SELECT value FROM records WHERE tab = ?1 AND key = ?2",
    "INSERT INTO records (tab, key, value) VALUES (?1, ?2, ?3) "
    "ON CONFLICT (tab, key) DO UPDATE SET value = excluded.value",
    "DELETE FROM records WHERE tab = ?1 AND key = ?2",
    "SELECT key, value FROM records WHERE tab = ?1 ORDER BY key",
    "SELECT key, value FROM records WHERE tab = ?1 AND key >= ?2 ORDER BY key",
    "SELECT key, value FROM records WHERE tab = ?1 AND key >= ?2 AND key < ?3 ORDER BY key",
};

/// Another process (a backup, the sqlite3 shell) may hold a lock for a moment.
constexpr int kBusyMilliseconds = 5000;

/// Step n brings a database of version n to version n + 1. Steps are never changed, only added.
constexpr std::array kMigrations = {
    "CREATE TABLE records (tab TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, "
    "PRIMARY KEY (tab, key)) WITHOUT ROWID;",
};

Kind kind_of(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return Kind::Exhausted;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      return Kind::Unavailable;
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return Kind::Forbidden;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Kind::DataLoss;
    default:
      return Kind::Internal;
  }
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path, bool writable) {
  std::unique_ptr<Connection> connection(new Connection(path));
  const int flags =
      SQLITE_OPEN_NOMUTEX | (writable ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READWRITE);
  if (sqlite3_open_v2(path.c_str(), &connection->handle_, flags, nullptr) != SQLITE_OK)
    return connection->failure("open");
  sqlite3_extended_result_codes(connection->handle_, 1);
  sqlite3_busy_timeout(connection->handle_, kBusyMilliseconds);
  // A log that begins anew is cut off first: writing past the end of a file never reads from the disk, while
  // writing a part of an old page does when the kernel has dropped it from its cache.
  TRY(connection->execute(writable ? "PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = 0; "
                                     "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -1024"
                                   : "PRAGMA query_only = ON; PRAGMA cache_size = -512"));
  return connection;
}

Connection::~Connection() {
  for (sqlite3_stmt* statement : statements_) sqlite3_finalize(statement);
  sqlite3_close(handle_);
}

Error Connection::failure(std::string_view what) const {
  if (!handle_) return fail(Kind::Exhausted, "database {}: {}: out of memory", path_, what);
  const int code = sqlite3_extended_errcode(handle_);
  const Error error = fail(kind_of(code), "database {}: {}: {}", path_, what, sqlite3_errmsg(handle_));
  // "disk I/O error" is all that SQLite says of it.
  const bool of_system = (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN;
  const int cause = of_system ? sqlite3_system_errno(handle_) : 0;
  if (cause == 0) return error;
  return {error.kind(), Error::from_errno(error.message(), cause).message(), cause};
}

Result<void> Connection::execute(const char* sql) {
  if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return failure(sql);
  return {};
}

Result<std::int64_t> Connection::query_number(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(handle_, sql, -1, &statement, nullptr) != SQLITE_OK) return failure(sql);
  const int code = sqlite3_step(statement);
  const std::int64_t number = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
  sqlite3_finalize(statement);
  if (code != SQLITE_ROW) return failure(sql);
  return number;
}

Result<std::string> Connection::query_text(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(handle_, sql, -1, &statement, nullptr) != SQLITE_OK) return failure(sql);
  const int code = sqlite3_step(statement);
  std::string text;
  if (code == SQLITE_ROW)
    if (const auto* found = sqlite3_column_text(statement, 0)) text = reinterpret_cast<const char*>(found);
  sqlite3_finalize(statement);
  if (code != SQLITE_ROW) return failure(sql);
  return text;
}

Result<sqlite3_stmt*> Connection::prepare(Statement statement) {
  const auto index = static_cast<std::size_t>(statement);
  sqlite3_stmt*& slot = statements_[index];
  if (!slot) {
    if (sqlite3_prepare_v3(handle_, kStatementTexts[index], -1, SQLITE_PREPARE_PERSISTENT, &slot, nullptr) !=
        SQLITE_OK)
      return failure(kStatementTexts[index]);
  }
  sqlite3_reset(slot);
  sqlite3_clear_bindings(slot);
  return slot;
}

Result<void> Connection::run(Statement statement) {
  sqlite3_stmt* prepared = TRY(prepare(statement));
  const int code = sqlite3_step(prepared);
  if (code != SQLITE_DONE && code != SQLITE_ROW) {
    Error error = failure(kStatementTexts[static_cast<std::size_t>(statement)]);
    sqlite3_reset(prepared);
    return error;
  }
  sqlite3_reset(prepared);
  return {};
}

int schema_version() { return static_cast<int>(kMigrations.size()); }

Result<void> migrate(Connection& connection, const std::string& path) {
  auto version = TRY(connection.query_number("PRAGMA user_version"));
  if (version > schema_version()) {
    return fail(Kind::Unsupported,
                "the database {} has schema version {}, written by a newer Skiff; this program knows "
                "versions up to {}: install the newer program again, or start with another data root",
                path, version, schema_version());
  }
  if (version == schema_version()) return {};
  TRY(connection.run(Statement::SynchronousFull));
  TRY(connection.run(Statement::BeginImmediate));
  auto steps = [&]() -> Result<void> {
    for (; version < schema_version(); ++version)
      TRY(connection.execute(kMigrations[static_cast<std::size_t>(version)]));
    return connection.execute(fmt::format("PRAGMA user_version = {}", version).c_str());
  };
  if (auto result = steps(); !result) {
    (void)connection.run(Statement::Rollback);
    return result;
  }
  return connection.run(Statement::Commit);
}

}  // namespace skiff::meta
