#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "sys/fd.h"

namespace skiff::registry::server {

/// Takes bytes as they come; an error ends it.
using ByteSink = std::function<Result<void>(std::string_view bytes)>;

/// An object's bytes on their way to a client: a file to send from, or something that copies them.
struct Content {
  std::uint64_t size = 0;
  sys::Fd file;  ///< of the whole object; invalid where there are no files
  /// Gives `length` bytes from `first` on to a sink; works with and without a file.
  std::function<Result<void>(std::uint64_t first, std::uint64_t length, const ByteSink& sink)> copy;
};

/// Bytes that arrive in several requests, to become an object. One at a time works on it.
class Incoming {
 public:
  virtual ~Incoming() = default;
  virtual std::uint64_t size() const = 0;
  /// Exhausted when there is no room: what was there before is kept.
  virtual Result<void> append(std::string_view bytes) = 0;
  /// The bytes so far can be found again after the program's end.
  virtual Result<void> suspend() = 0;
  /// Gives `length` bytes from `first` on to `sink`. May be called while others append;
  /// once it is committed or removed it may be NotFound.
  virtual Result<void> read(std::uint64_t first, std::uint64_t length, const ByteSink& sink) = 0;
  /// Makes the bytes the object `key`, replacing one that is there, and ends the Incoming.
  virtual Result<void> commit(const std::string& key) = 0;
};

/// Where a registry keeps its objects. Keys are parts joined by '/'; no key is the beginning of another's
/// parts. Objects appear and change as a whole, and what a call has acknowledged survives the loss of power.
/// Thread-safe. The rules of tests: storage_conformance_test.h.
class Storage {
 public:
  struct Info {
    std::uint64_t size = 0;
    Time modified;
  };
  struct Listing {
    std::vector<std::string> objects;
    std::vector<std::string> folders;
  };

  virtual ~Storage() = default;

  virtual Result<std::string> read(const std::string& key) = 0;  ///< NotFound
  virtual Result<void> write(const std::string& key, std::string_view bytes) = 0;
  virtual Result<Info> stat(const std::string& key) = 0;    ///< NotFound
  virtual Result<void> touch(const std::string& key) = 0;   ///< modified: now. NotFound
  virtual Result<void> remove(const std::string& key) = 0;  ///< NotFound
  /// The names directly below a folder, sorted by their bytes; a missing folder is empty.
  virtual Result<Listing> list(const std::string& folder) = 0;
  virtual Result<Content> open(const std::string& key) = 0;  ///< NotFound

  /// A new Incoming under `key`, empty; found again by open_incoming() until it is committed or removed.
  virtual Result<std::unique_ptr<Incoming>> create_incoming(const std::string& key) = 0;
  virtual Result<std::unique_ptr<Incoming>> open_incoming(const std::string& key) = 0;  ///< NotFound
  virtual Result<void> remove_incoming(const std::string& key) = 0;                     ///< NotFound
  /// All of them, with the time of their last byte.
  virtual Result<std::vector<std::pair<std::string, Time>>> list_incoming() = 0;
};

/// On a local file system below `root`, which is made when missing. Conflict when another process has it.
Result<std::unique_ptr<Storage>> open_disk_storage(const std::string& root);

}  // namespace skiff::registry::server
