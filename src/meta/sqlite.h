#pragma once

#include <sqlite3.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace skiff::meta {

/// The statements a connection keeps prepared, in the order of kStatementTexts (sqlite.cpp).
enum class Statement : std::size_t {
  Begin,
  BeginImmediate,
  Commit,
  Rollback,
  SynchronousFull,
  SynchronousNormal,
  Get,
  Put,
  Erase,
  ScanAll,
  ScanFrom,
  ScanRange,
  Count,
};

/// One SQLite connection with its prepared statements. Used by one thread at a time.
class Connection {
 public:
  static Result<std::unique_ptr<Connection>> open(const std::string& path, bool writable);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Runs SQL text without results.
  Result<void> execute(const char* sql);
  /// The first column of the first row as a number.
  Result<std::int64_t> query_number(const char* sql);
  /// The first column of the first row as text.
  Result<std::string> query_text(const char* sql);
  /// Runs a prepared statement that takes no parameters and gives no rows.
  Result<void> run(Statement statement);
  /// The prepared statement, reset and without bindings.
  Result<sqlite3_stmt*> prepare(Statement statement);
  /// The connection's last failure as an Error with `what` in front.
  Error failure(std::string_view what) const;

 private:
  explicit Connection(std::string path) : path_(std::move(path)) {}

  std::string path_;
  sqlite3* handle_ = nullptr;
  std::array<sqlite3_stmt*, static_cast<std::size_t>(Statement::Count)> statements_{};
};

/// Brings the schema up to this program's version. Forbidden-by-age is Unsupported: the file was written by a
/// newer program.
Result<void> migrate(Connection& connection, const std::string& path);

/// The schema version this program writes.
int schema_version();

}  // namespace skiff::meta
