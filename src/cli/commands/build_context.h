#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "archive/tar_writer.h"
#include "base/result.h"
#include "build/frontend/ignore.h"
#include "sys/fd.h"

namespace skiff::cli {

/// A build context as a tar archive that is made while it is read: a directory without what its .dockerignore
/// excludes, and files that exist only in memory.
class ContextArchive {
 public:
  /// An archive without a directory.
  ContextArchive();
  /// `keep` are names that are sent although they are excluded: the Dockerfile and .dockerignore.
  ContextArchive(std::string directory, build::IgnoreRules rules, std::vector<std::string> keep);
  ContextArchive(const ContextArchive&) = delete;
  ContextArchive& operator=(const ContextArchive&) = delete;

  /// A file in front of the directory's, which replaces one of the same name there.
  void add_file(std::string name, std::string content);

  /// The archive's next bytes; 0 at its end.
  Result<std::size_t> read(char* buffer, std::size_t size);
  /// Bytes that were read.
  std::uint64_t size() const { return size_; }

 private:
  Result<void> step();
  Result<void> add(const std::string& path);
  Result<void> enter(const std::string& path);
  bool wanted(const std::string& path) const;

  std::string directory_;
  build::IgnoreRules rules_;
  std::vector<std::string> keep_;
  std::vector<std::pair<std::string, std::string>> files_;
  std::vector<std::string> replaced_;
  std::vector<std::string> pending_;  ///< names to visit, the next one last
  std::string buffer_;
  std::size_t taken_ = 0;
  archive::TarWriter writer_;
  sys::Fd file_;
  std::uint64_t left_ = 0;  ///< of the open file
  std::uint64_t size_ = 0;
  bool finished_ = false;
};

/// Whether these first bytes are a tar archive or a compressed file, and no Dockerfile.
bool is_archive(std::string_view first_bytes);

}  // namespace skiff::cli
