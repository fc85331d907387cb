#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <unordered_map>

#include "archive/recipe.h"
#include "archive/source.h"
#include "sys/fd.h"

namespace skiff::archive {

/// Writes the recipe (recipe.h) of a tar while it is unpacked. It stands between the tar and who reads it,
/// and sees every byte; apply() tells it which of them went into which file. What it is not told about stands
/// in the recipe as it is.
class Recorder final : public Source {
 public:
  /// Both stay the caller's.
  Recorder(Source& inner, const sys::Fd& recipe) : inner_(inner), writer_(recipe) {}

  Result<std::string_view> next() override;

  /// data() speaks of this file from now on: a new one, whose path below the layer's root has no links on the
  /// way. An empty path: of no file that the recipe could refer to.
  void file(std::string path, ino_t inode);
  /// `bytes`, which begin at `position` of the tar, went to `offset` of the file.
  Result<void> data(std::uint64_t position, std::string_view bytes, std::uint64_t offset);
  /// The entry `name` of `dir`, no directory, is about to be removed: contents that the recipe refers to are
  /// saved in it.
  Result<void> removing(const sys::Fd& dir, const std::string& name);
  /// Reads the rest of the tar and ends the recipe.
  Result<void> finish();

 private:
  Result<void> decide(std::uint64_t upto);
  Result<void> save(const sys::Fd& file, std::uint64_t number, std::uint64_t size);

  Source& inner_;
  RecipeWriter writer_;
  std::string kept_;           ///< bytes from decided_ on that the reader has not spoken of, before current_
  std::string_view current_;   ///< what inner_ gave last, without what is decided
  std::uint64_t decided_ = 0;  ///< so many bytes of the tar stand in the recipe
  std::string path_;
  ino_t inode_ = 0;
  bool named_ = false;  ///< the recipe speaks of path_ already
  /// The files that the recipe refers to. A file has one number, whatever links there are to it.
  std::unordered_map<ino_t, std::uint64_t> numbers_;
};

}  // namespace skiff::archive
