#include "archive/replay.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "archive/piece_buffer.h"
#include "archive/recipe.h"
#include "archive/tree.h"
#include "base/strings.h"

namespace skiff::archive {

namespace {

using Operation = RecipeReader::Operation;
using Piece = RecipeReader::Piece;

Error missing(std::string_view path, const Error& why) {
  return fail(Kind::DataLoss, "the file {} of the layer: {}", quote(path), why.message());
}

class Replayer {
 public:
  Replayer(RecipeReader& recipe, const sys::Fd& layer, const Sink& sink)
      : recipe_(recipe), layer_(layer), out_(sink) {}

  Result<Replayed> run() {
    Operation operation;
    while (TRY(recipe_.next(operation))) TRY(follow(operation));
    TRY(out_.flush());
    return Replayed{out_.digest(), out_.total()};
  }

 private:
  Result<void> follow(const Operation& operation);
  Result<void> from_file(std::uint64_t size);
  Result<void> from_pieces(std::uint64_t size);

  RecipeReader& recipe_;
  const sys::Fd& layer_;
  PieceBuffer out_;
  std::uint64_t files_ = 0;
  std::string path_;
  sys::Fd file_;                                ///< opened when its contents are wanted
  const std::vector<Piece>* pieces_ = nullptr;  ///< of a file that the layer has no more
  std::uint64_t position_ = 0;
  std::string piece_;
};

Result<void> Replayer::follow(const Operation& operation) {
  switch (operation.code) {
    case Operation::Code::Literal:
      return out_.put(operation.bytes);
    case Operation::Code::File:
      path_ = operation.bytes;
      file_.reset();
      pieces_ = recipe_.replaced(files_++);
      position_ = 0;
      return {};
    case Operation::Code::Seek:
      position_ = operation.size;
      return {};
    case Operation::Code::Contents:
      // More than the tar has in all: an endless recipe ends here and not when the disk is full.
      if (operation.size > recipe_.tar_bytes() - std::min(out_.total(), recipe_.tar_bytes()))
        return fail(Kind::DataLoss, "damaged recipe: more bytes than the tar has");
      return pieces_ ? from_pieces(operation.size) : from_file(operation.size);
  }
  return {};
}

Result<void> Replayer::from_file(std::uint64_t size) {
  if (!file_) {
    // O_NONBLOCK: a fifo would otherwise be waited at.
    auto opened = open_plain(layer_, path_, O_RDONLY | O_NONBLOCK);
    if (!opened) return missing(path_, opened.error());
    file_ = *std::move(opened);
  }
  while (size > 0) {
    const auto room = out_.room();
    const ssize_t count = ::pread(file_.get(), room.data, std::min<std::uint64_t>(size, room.size),
                                  static_cast<off_t>(position_));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return missing(path_, fail_errno("read"));
    if (count == 0) return missing(path_, fail(Kind::DataLoss, "it is too short"));
    TRY(out_.filled(static_cast<std::size_t>(count)));
    position_ += static_cast<std::uint64_t>(count);
    size -= static_cast<std::uint64_t>(count);
  }
  return {};
}

Result<void> Replayer::from_pieces(std::uint64_t size) {
  const auto after = std::upper_bound(pieces_->begin(), pieces_->end(), position_,
                                      [](std::uint64_t at, const Piece& piece) { return at < piece.offset; });
  auto next = after == pieces_->begin() ? after : std::prev(after);
  while (size > 0) {
    // Zeros up to the next piece, or to the end.
    piece_.assign(std::min<std::uint64_t>(size, kRecipeBlock), '\0');
    if (next != pieces_->end() && next->offset <= position_) {
      const std::uint64_t skip = position_ - next->offset;
      TRY(recipe_.read_piece(*next++, piece_));
      piece_.erase(0, std::min<std::uint64_t>(skip, piece_.size()));
    } else if (next != pieces_->end()) {
      piece_.resize(std::min<std::uint64_t>(piece_.size(), next->offset - position_));
    }
    const auto bytes = std::string_view(piece_).substr(0, size);
    TRY(out_.put(bytes));
    position_ += bytes.size();
    size -= bytes.size();
  }
  return {};
}

}  // namespace

Result<Replayed> replay(const sys::Fd& recipe, const sys::Fd& layer, const Sink& sink) {
  auto reader = TRY(RecipeReader::open(recipe));
  return Replayer(reader, layer, sink).run();
}

}  // namespace skiff::archive
