#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skiff::meta {

/// A transaction over the record tables. A record is a text (JSON) under a key in a named table; keys sort
/// bytewise.
class Transaction {
 public:
  virtual ~Transaction() = default;
  virtual Result<std::optional<std::string>> get(std::string_view table, std::string_view key) = 0;
  virtual Result<void> put(std::string_view table, std::string_view key, std::string_view record) = 0;
  virtual Result<void> erase(std::string_view table, std::string_view key) = 0;
  /// All records whose key starts with `prefix`, in key order.
  virtual Result<std::vector<std::pair<std::string, std::string>>> scan(std::string_view table,
                                                                        std::string_view prefix = {}) = 0;
};

enum class Durability {
  Full,
  Relaxed
};  ///< Full: on disk when commit returns. Relaxed: survives a crash of the daemon, not of the machine.

/// SQLite (WAL) behind transactions of records. One writer at a time, many readers. Thread-safe.
class Database {
 public:
  /// Makes the file or migrates it to this program's schema; a newer schema is refused in a sentence.
  static Result<std::unique_ptr<Database>> open(const std::string& path);
  virtual ~Database() = default;

  /// Runs `body` in one transaction: committed when it returns success, rolled back when it returns an error.
  /// No I/O on other processes and no second transaction inside.
  virtual Result<void> write(const std::function<Result<void>(Transaction&)>& body,
                             Durability durability = Durability::Full) = 0;
  virtual Result<void> read(const std::function<Result<void>(Transaction&)>& body) = 0;
  /// Reads the whole file and all that refers to each other in it. DataLoss with what SQLite says of it.
  virtual Result<void> check() = 0;
};

}  // namespace skiff::meta
