#include "archive/recipe.h"

#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "sys/file.h"

namespace skiff::archive {

namespace {

/// Headers of the same kind over and over: the quickest level already packs them tenfold.
constexpr int kLevel = 1;
constexpr std::size_t kMostHeader = 1 + 4 * 10;

void put_number(std::string& to, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) to += static_cast<char>(number | 0x80);
  to += static_cast<char>(number);
}

/// Nothing when the bytes end within the number, or it does not fit.
std::optional<std::uint64_t> take_number(std::string_view bytes, std::size_t& at) {
  std::uint64_t number = 0;
  for (unsigned shift = 0; shift < 64 && at < bytes.size(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes[at++]);
    if (shift == 63 && byte > 1) return std::nullopt;
    number |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return number;
  }
  return std::nullopt;
}

Error damaged(std::string_view why) { return fail(Kind::DataLoss, "damaged recipe: {}", why); }

Result<std::size_t> read_at(const sys::Fd& in, std::uint64_t place, char* to, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count = ::pread(in.get(), to + done, size - done, static_cast<off_t>(place + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("read recipe");
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

}  // namespace

RecipeWriter::RecipeWriter(const sys::Fd& out) : out_(out), context_(ZSTD_createCCtx(), ZSTD_freeCCtx) {
  ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, kLevel);
  ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1);
  operations_.reserve(kRecipeBlock);
}

RecipeWriter::~RecipeWriter() = default;

Result<void> RecipeWriter::block(char kind, std::string_view raw, std::uint64_t first, std::uint64_t second) {
  std::string text(begun_ ? std::string_view() : kRecipeMagic);
  begun_ = true;
  packed_.resize(ZSTD_compressBound(raw.size()));
  const std::size_t size =
      raw.empty() ? 0
                  : ZSTD_compress2(context_.get(), packed_.data(), packed_.size(), raw.data(), raw.size());
  if (ZSTD_isError(size)) return fail(Kind::Internal, "recipe: {}", ZSTD_getErrorName(size));
  text += kind;
  for (const std::uint64_t number : {std::uint64_t{raw.size()}, std::uint64_t{size}, first, second})
    put_number(text, number);
  text.append(packed_, 0, size);
  return sys::write_all(out_, text);
}

Result<void> RecipeWriter::flush() {
  if (operations_.empty()) return {};
  TRY(block('o', operations_, 0, 0));
  operations_.clear();
  return {};
}

Result<void> RecipeWriter::operation(std::uint64_t argument, unsigned code, std::string_view bytes) {
  if (operations_.size() + bytes.size() + 10 > kRecipeBlock) TRY(flush());
  put_number(operations_, argument << 2 | code);
  operations_ += bytes;
  return {};
}

Result<void> RecipeWriter::end_contents() {
  if (pending_ == 0) return {};
  const std::uint64_t size = std::exchange(pending_, 0);
  position_ += size;
  return operation(size, 2, {});
}

Result<void> RecipeWriter::literal(std::string_view bytes) {
  TRY(end_contents());
  total_ += bytes.size();
  while (!bytes.empty()) {
    const auto piece = bytes.substr(0, kRecipeBlock / 2);
    TRY(operation(piece.size(), 0, piece));
    bytes.remove_prefix(piece.size());
  }
  return {};
}

Result<std::uint64_t> RecipeWriter::file(std::string_view path) {
  TRY(end_contents());
  if (path.size() > kRecipePath) return fail(Kind::Internal, "recipe: a path of {} bytes", path.size());
  position_ = 0;
  TRY(operation(path.size(), 1, path));
  return files_++;
}

Result<void> RecipeWriter::contents(std::uint64_t offset, std::uint64_t size) {
  if (offset != position_ + pending_) {
    TRY(end_contents());
    TRY(operation(offset, 3, {}));
    position_ = offset;
  }
  pending_ += size;
  total_ += size;
  return {};
}

Result<void> RecipeWriter::replaced(std::uint64_t number, std::uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto piece = bytes.substr(0, kRecipeBlock);
    TRY(block('r', piece, number, offset));
    offset += piece.size();
    bytes.remove_prefix(piece.size());
  }
  return {};
}

Result<void> RecipeWriter::finish() {
  TRY(end_contents());
  TRY(flush());
  return block('e', {}, total_, files_);
}

RecipeReader::RecipeReader(const sys::Fd& in) : in_(&in), context_(ZSTD_createDCtx(), ZSTD_freeDCtx) {}

Result<RecipeReader> RecipeReader::open(const sys::Fd& in) {
  RecipeReader reader(in);
  TRY(reader.look_through());
  return reader;
}

Result<RecipeReader::Header> RecipeReader::header_at(std::uint64_t place) const {
  char buffer[kMostHeader];
  const std::string_view bytes(buffer, TRY(read_at(*in_, place, buffer, sizeof buffer)));
  if (bytes.empty()) return damaged("it has no end");
  Header header;
  header.kind = bytes[0];
  std::size_t at = 1;
  for (std::uint64_t* number : {&header.raw, &header.packed, &header.first, &header.second}) {
    const auto value = take_number(bytes, at);
    if (!value) return damaged("a block without a header");
    *number = *value;
  }
  header.data = place + at;
  if (header.raw > kRecipeBlock || header.packed > ZSTD_compressBound(kRecipeBlock))
    return damaged("a block that is too large");
  return header;
}

Result<void> RecipeReader::look_through() {
  std::string magic(kRecipeMagic.size(), '\0');
  if (TRY(read_at(*in_, 0, magic.data(), magic.size())) != magic.size() || magic != kRecipeMagic)
    return damaged("it does not begin like one");
  for (std::uint64_t place = magic.size();;) {
    const Header header = TRY(header_at(place));
    switch (header.kind) {
      case 'o':
        operations_.push_back(place);
        break;
      case 'r':
        replaced_[header.first].push_back({header.second, place});
        break;
      case 'e':
        tar_bytes_ = header.first;
        return {};
      default:
        return damaged("a block of an unknown kind");
    }
    place = header.data + header.packed;
  }
}

Result<void> RecipeReader::unpack(const Header& header, std::string& bytes) {
  packed_.resize(header.packed);
  if (TRY(read_at(*in_, header.data, packed_.data(), packed_.size())) != packed_.size())
    return damaged("it is cut short");
  bytes.resize(header.raw);
  const std::size_t size =
      ZSTD_decompressDCtx(context_.get(), bytes.data(), bytes.size(), packed_.data(), packed_.size());
  if (ZSTD_isError(size) || size != header.raw) return damaged("a block that cannot be unpacked");
  return {};
}

Result<bool> RecipeReader::next(Operation& operation) {
  if (at_ == block_.size()) {
    if (next_block_ == operations_.size()) return false;
    at_ = 0;
    TRY(unpack(TRY(header_at(operations_[next_block_++])), block_));
  }
  const auto number = take_number(block_, at_);
  if (!number) return damaged("an operation without a number");
  operation.code = static_cast<Operation::Code>(*number & 3);
  operation.size = *number >> 2;
  operation.bytes = {};
  const bool has_bytes =
      operation.code == Operation::Code::Literal || operation.code == Operation::Code::File;
  if (!has_bytes) return true;
  if (operation.size > block_.size() - at_) return damaged("an operation that is cut short");
  if (operation.code == Operation::Code::File && operation.size > kRecipePath)
    return damaged("a path that is too long");
  operation.bytes = std::string_view(block_).substr(at_, operation.size);
  at_ += operation.size;
  return true;
}

const std::vector<RecipeReader::Piece>* RecipeReader::replaced(std::uint64_t number) const {
  const auto found = replaced_.find(number);
  return found == replaced_.end() ? nullptr : &found->second;
}

Result<void> RecipeReader::read_piece(const Piece& piece, std::string& bytes) {
  const Header header = TRY(header_at(piece.place));
  return unpack(header, bytes);
}

}  // namespace skiff::archive
