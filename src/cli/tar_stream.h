#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "archive/tar_writer.h"
#include "base/result.h"
#include "sys/fd.h"

/// Trees as tar streams, for cp: a local tree is packed while it is read, and an engine's archive is
/// unpacked.
namespace skiff::cli {

/// Packs a file or a tree while the engine reads it; the top entry gets the name it shall have over there.
class TreeArchive {
 public:
  /// `top` is the name of `path` in the archive.
  TreeArchive(std::string path, std::string top);
  TreeArchive(const TreeArchive&) = delete;
  TreeArchive& operator=(const TreeArchive&) = delete;

  /// The archive's next bytes; 0 at its end.
  Result<std::size_t> read(char* buffer, std::size_t size);

 private:
  struct Item {
    std::string path;
    std::string name;
  };
  Result<void> step();
  Result<void> add(const Item& item);

  std::vector<Item> pending_;
  std::string buffer_;
  std::size_t taken_ = 0;
  archive::TarWriter writer_;
  sys::Fd file_;
  std::uint64_t left_ = 0;
  bool finished_ = false;
};

/// Reads at most `size` bytes of the archive; 0 is its end.
using TarInput = std::function<Result<std::size_t>(char* buffer, std::size_t size)>;

/// Unpacks a tar stream below `directory`. The first component of every name, `from`, becomes `to`. Nothing
/// is written outside `directory`: names and links of the archive are a container's and not trusted. Owners
/// are kept when `owners` (and we are root), else they are ours.
Result<void> unpack_tar(const TarInput& input, const std::string& directory, const std::string& from,
                        const std::string& to, bool owners);

}  // namespace skiff::cli
