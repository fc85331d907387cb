#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "archive/source.h"

struct archive;
struct archive_entry;

namespace skiff::archive {

/// What a tar archive says about one file. Names are bytes as they stand in the archive: nothing about them
/// has been checked.
struct Entry {
  enum class Type : std::uint8_t {
    Regular,
    HardLink,
    Symlink,
    CharacterDevice,
    BlockDevice,
    Directory,
    Fifo,
    Other
  };

  std::string path;
  Type type = Type::Regular;
  std::string link;  ///< target of a hard or symbolic link
  mode_t mode = 0;   ///< permission bits with set-uid, set-gid and sticky
  uid_t uid = 0;
  gid_t gid = 0;
  std::uint64_t size = 0;
  timespec mtime{};
  unsigned major = 0;
  unsigned minor = 0;
  std::vector<std::pair<std::string, std::string>> xattrs;
};

/// Reads tar archives (ustar, pax, GNU, old V7, sparse) through libarchive. InvalidArgument: the bytes are no
/// tar archive, or are damaged or truncated.
class TarReader {
 public:
  /// `source` outlives the reader.
  explicit TarReader(Source& source);
  ~TarReader();
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;

  /// Reads the next header into `entry`; false at the end. Unread data of the entry before is passed over.
  Result<bool> next(Entry& entry);
  /// The next piece of the current entry's data and its place in the file (sparse files have gaps). An empty
  /// view at the end. Valid until the next call.
  Result<std::string_view> data(std::int64_t& offset);
  /// Where in the archive the piece that data() gave last begins.
  std::uint64_t position() const;

  /// Why reading the source failed; for the callbacks.
  struct State;

 private:
  Error failure();

  std::unique_ptr<State> state_;
  ::archive* archive_;
  bool opened_ = false;
  std::uint64_t data_left_ = 0;  ///< of the current entry
  bool cut_short_ = false;       ///< the stream ended where the padding after an entry's data would follow
};

}  // namespace skiff::archive
