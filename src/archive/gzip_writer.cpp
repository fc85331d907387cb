#include "archive/gzip_writer.h"

#include <isa-l/igzip_lib.h>

#include <array>
#include <vector>

namespace skiff::archive {
namespace {

constexpr int kLevel = 2;
constexpr std::size_t kLevelBuffer = ISAL_DEF_LVL2_LARGE;
constexpr std::size_t kPiece = 256 << 10;

}  // namespace

struct GzipWriter::State {
  isal_zstream stream{};
  std::vector<std::uint8_t> level_buffer = std::vector<std::uint8_t>(kLevelBuffer);
  std::vector<std::uint8_t> piece = std::vector<std::uint8_t>(kPiece);
};

GzipWriter::GzipWriter() : state_(std::make_unique<State>()) {
  auto& stream = state_->stream;
  isal_deflate_init(&stream);
  stream.level = kLevel;
  stream.level_buf = state_->level_buffer.data();
  stream.level_buf_size = kLevelBuffer;
  stream.gzip_flag = IGZIP_GZIP;
  stream.flush = NO_FLUSH;
}

GzipWriter::~GzipWriter() = default;

Result<void> GzipWriter::write(std::string_view plain, bool last, std::string& out) {
  auto& stream = state_->stream;
  stream.next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<std::uint32_t>(plain.size());
  stream.end_of_stream = last ? 1 : 0;
  do {
    stream.next_out = state_->piece.data();
    stream.avail_out = static_cast<std::uint32_t>(kPiece);
    if (const int code = isal_deflate(&stream); code != COMP_OK)
      return fail(Kind::Internal, "gzip (igzip error {})", code);
    out.append(reinterpret_cast<const char*>(state_->piece.data()), kPiece - stream.avail_out);
  } while (stream.avail_out == 0);
  return {};
}

}  // namespace skiff::archive
