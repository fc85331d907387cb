#include "archive/codecs.h"

#include <bzlib.h>
#include <lzma.h>

#include "archive/buffer.h"

namespace skiff::archive {
namespace {

constexpr std::size_t kBufferSize = 512 << 10;
/// `xz -9` has a dictionary of 64 MiB; larger ones exist only to cost memory.
constexpr std::uint64_t kXzMemory = 96 << 20;

class XzSource final : public Source {
 public:
  explicit XzSource(std::unique_ptr<Source> inner) : inner_(std::move(inner)), buffer_(kBufferSize) {
    ready_ = lzma_stream_decoder(&stream_, kXzMemory, LZMA_CONCATENATED);
  }
  ~XzSource() override { lzma_end(&stream_); }
  XzSource(const XzSource&) = delete;
  XzSource& operator=(const XzSource&) = delete;

  Result<std::string_view> next() override {
    stream_.next_out = reinterpret_cast<std::uint8_t*>(buffer_.data());
    stream_.avail_out = buffer_.size();
    while (ready_ == LZMA_OK && stream_.avail_out == buffer_.size()) {
      if (stream_.avail_in == 0 && !ended_) {
        const auto bytes = TRY(inner_->next());
        ended_ = bytes.empty();
        stream_.next_in = reinterpret_cast<const std::uint8_t*>(bytes.data());
        stream_.avail_in = bytes.size();
      }
      ready_ = lzma_code(&stream_, ended_ ? LZMA_FINISH : LZMA_RUN);
    }
    const std::size_t made = buffer_.size() - stream_.avail_out;
    if (made > 0 || ready_ == LZMA_STREAM_END) return std::string_view(buffer_.data(), made);
    if (ready_ == LZMA_MEMLIMIT_ERROR || ready_ == LZMA_MEM_ERROR)
      return fail(Kind::Exhausted, "the xz data asks for more than {} MiB of memory", kXzMemory >> 20);
    if (ready_ == LZMA_BUF_ERROR) return fail(Kind::InvalidArgument, "truncated xz data: unexpected EOF");
    return fail(Kind::InvalidArgument, "damaged xz data (lzma error {})", static_cast<int>(ready_));
  }

 private:
  std::unique_ptr<Source> inner_;
  Buffer buffer_;
  lzma_stream stream_ = LZMA_STREAM_INIT;
  lzma_ret ready_ = LZMA_OK;  ///< what the decoder said last
  bool ended_ = false;
};

class Bzip2Source final : public Source {
 public:
  explicit Bzip2Source(std::unique_ptr<Source> inner) : inner_(std::move(inner)), buffer_(kBufferSize) {}
  ~Bzip2Source() override { close(); }
  Bzip2Source(const Bzip2Source&) = delete;
  Bzip2Source& operator=(const Bzip2Source&) = delete;

  Result<std::string_view> next() override {
    for (;;) {
      if (stream_.avail_in == 0 && !ended_) {
        const auto bytes = TRY(inner_->next());
        ended_ = bytes.empty();
        stream_.next_in = const_cast<char*>(bytes.data());
        stream_.avail_in = static_cast<unsigned>(bytes.size());
      }
      if (!open_) {
        if (stream_.avail_in == 0 && ended_) return std::string_view();
        if (BZ2_bzDecompressInit(&stream_, 0, 0) != BZ_OK) return fail(Kind::Exhausted, "bzip2: no memory");
        open_ = true;
      }
      stream_.next_out = buffer_.data();
      stream_.avail_out = static_cast<unsigned>(buffer_.size());
      const int code = BZ2_bzDecompress(&stream_);
      const std::size_t made = buffer_.size() - stream_.avail_out;
      if (code != BZ_OK && code != BZ_STREAM_END)
        return fail(Kind::InvalidArgument, "damaged bzip2 data (bzlib error {})", code);
      if (code == BZ_STREAM_END)
        close();
      else if (made == 0 && stream_.avail_in == 0 && ended_)
        return fail(Kind::InvalidArgument, "truncated bzip2 data: unexpected EOF");
      if (made > 0) return std::string_view(buffer_.data(), made);
    }
  }

 private:
  /// What is left of the input stays in `stream_` for the next member.
  void close() {
    if (std::exchange(open_, false)) BZ2_bzDecompressEnd(&stream_);
  }

  std::unique_ptr<Source> inner_;
  Buffer buffer_;
  bz_stream stream_ = {};
  bool open_ = false;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<Source> xz_source(std::unique_ptr<Source> inner) {
  return std::make_unique<XzSource>(std::move(inner));
}

std::unique_ptr<Source> bzip2_source(std::unique_ptr<Source> inner) {
  return std::make_unique<Bzip2Source>(std::move(inner));
}

}  // namespace skiff::archive
