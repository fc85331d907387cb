#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

/// A recipe says how the exact tar of a layer is made again from the layer's files: the bytes between the
/// files' contents (headers, padding, trailer) stand in it, the contents are referred to. It is written while
/// the tar is unpacked (recorder.h) and followed when somebody wants the tar (replay.h). Any byte may stand
/// in it literally; what is referred to only saves space.
///
/// The file: "SKRECIPE1\n", then blocks. A block is a byte for its kind, four numbers (raw size, packed size,
/// and two whose meaning the kind gives) and the packed bytes, one zstd frame with a checksum. Numbers are
/// LEB128: seven bits a byte, the lowest first.
///
///     'o'  operations; none spans two blocks. Each is a number n * 4 + code and its bytes:
///              0  n bytes of the tar, which follow
///              1  the contents are now those of the next file (they are counted from 0), whose path in the
///                 layer, of n bytes and without links on the way, follows
///              2  n bytes of the file's contents, from behind those used last (from its start at first)
///              3  ... from offset n of the file's contents on
///     'r'  contents of a file that a later entry of the tar replaced: file (first number), offset (second)
///     'e'  the end: size of the tar (first number), number of files (second); no bytes
namespace skiff::archive {

inline constexpr std::string_view kRecipeMagic = "SKRECIPE1\n";
/// The most that a block holds unpacked, and so what reading or writing a recipe takes of memory.
inline constexpr std::size_t kRecipeBlock = 256 << 10;
inline constexpr std::size_t kRecipePath = 4096;

class RecipeWriter {
 public:
  /// Writes to `out`, which stays the caller's, from its position on.
  explicit RecipeWriter(const sys::Fd& out);
  ~RecipeWriter();
  RecipeWriter(const RecipeWriter&) = delete;
  RecipeWriter& operator=(const RecipeWriter&) = delete;

  /// The next bytes of the tar.
  Result<void> literal(std::string_view bytes);
  /// contents() speaks of another file from now on: the number that this one has.
  Result<std::uint64_t> file(std::string_view path);
  /// The next bytes of the tar are these of the current file.
  Result<void> contents(std::uint64_t offset, std::uint64_t size);
  /// A piece of what the file `number` held before it was replaced. What no piece covers were zeros.
  Result<void> replaced(std::uint64_t number, std::uint64_t offset, std::string_view bytes);
  Result<void> finish();

 private:
  Result<void> end_contents();
  Result<void> operation(std::uint64_t argument, unsigned code, std::string_view bytes);
  Result<void> flush();
  Result<void> block(char kind, std::string_view raw, std::uint64_t first, std::uint64_t second);

  const sys::Fd& out_;
  std::unique_ptr<ZSTD_CCtx_s, std::size_t (*)(ZSTD_CCtx_s*)> context_;
  std::string operations_;
  std::string packed_;
  bool begun_ = false;
  std::uint64_t files_ = 0;
  std::uint64_t position_ = 0;  ///< in the current file, as the reader will have it
  std::uint64_t pending_ = 0;   ///< contents from position_ on that are not written yet
  std::uint64_t total_ = 0;
};

/// Reads a recipe. DataLoss for every recipe that is not whole and well formed.
class RecipeReader {
 public:
  struct Piece {
    std::uint64_t offset = 0;
    std::uint64_t place = 0;  ///< of its block in the recipe
  };
  struct Operation {
    enum class Code : std::uint8_t { Literal, File, Contents, Seek };
    Code code = Code::Literal;
    std::uint64_t size = 0;  ///< of Contents; the offset of Seek
    std::string_view bytes;  ///< of Literal, the path of File; valid until the next call
  };

  /// Looks through the whole recipe, without unpacking it. `in` stays the caller's and can seek.
  static Result<RecipeReader> open(const sys::Fd& in);

  /// The next operation; false at the end.
  Result<bool> next(Operation& operation);
  /// The replaced contents of the file `number`, by offset; none when the layer has the file still.
  const std::vector<Piece>* replaced(std::uint64_t number) const;
  /// Unpacks a piece of replaced contents into `bytes`.
  Result<void> read_piece(const Piece& piece, std::string& bytes);

  std::uint64_t tar_bytes() const { return tar_bytes_; }

 private:
  struct Header {
    char kind = 0;
    std::uint64_t raw = 0;
    std::uint64_t packed = 0;
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    std::uint64_t data = 0;  ///< where the packed bytes begin
  };

  explicit RecipeReader(const sys::Fd& in);
  Result<Header> header_at(std::uint64_t place) const;
  Result<void> look_through();
  Result<void> unpack(const Header& header, std::string& bytes);

  const sys::Fd* in_;
  std::unique_ptr<ZSTD_DCtx_s, std::size_t (*)(ZSTD_DCtx_s*)> context_;
  std::map<std::uint64_t, std::vector<Piece>> replaced_;
  std::vector<std::uint64_t> operations_;  ///< places of the blocks of operations
  std::size_t next_block_ = 0;
  std::string block_;
  std::size_t at_ = 0;  ///< in block_
  std::string packed_;
  std::uint64_t tar_bytes_ = 0;
};

}  // namespace skiff::archive
