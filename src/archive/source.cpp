#include "archive/source.h"

#include <fcntl.h>
#include <zlib.h>
#include <zstd.h>

#include <isa-l/igzip_lib.h>

#include <cerrno>
#include <cstring>

#include "archive/buffer.h"
#include "archive/codecs.h"
#include "archive/limit_source.h"
#include "sys/file.h"

namespace skiff::archive {

namespace {

constexpr std::size_t kBufferSize = 512 << 10;
constexpr std::size_t kMagicSize = 6;

/// The descriptor's bytes; the first ones can be looked at before they are taken.
class FdSource final : public Source {
 public:
  explicit FdSource(int fd) : fd_(fd), buffer_(kBufferSize) {}

  Result<std::string_view> peek() {
    while (filled_ < kMagicSize) {
      const std::size_t count = TRY(read(buffer_.data() + filled_, buffer_.size() - filled_));
      if (count == 0) break;
      filled_ += count;
    }
    return std::string_view(buffer_.data(), filled_);
  }

  Result<std::string_view> next() override {
    if (filled_ > 0) return std::string_view(buffer_.data(), std::exchange(filled_, 0));
    return std::string_view(buffer_.data(), TRY(read(buffer_.data(), buffer_.size())));
  }

 private:
  Result<std::size_t> read(char* to, std::size_t size) const {
    for (;;) {
      const ssize_t count = ::read(fd_, to, size);
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno != EINTR) return fail_errno("read archive");
    }
  }

  int fd_;
  Buffer buffer_;
  std::size_t filled_ = 0;
};

class MemorySource final : public Source {
 public:
  explicit MemorySource(std::string bytes) : bytes_(std::move(bytes)) {}
  Result<std::string_view> next() override {
    return std::exchange(done_, true) ? std::string_view() : std::string_view(bytes_);
  }

 private:
  std::string bytes_;
  bool done_ = false;
};

/// gzip by ISA-L. Members may follow each other, as pigz and `cat a.gz b.gz` make them; zeros after the last
/// member are padding (gzip(1) ignores them too).
class GzipSource final : public Source {
 public:
  explicit GzipSource(std::unique_ptr<Source> inner)
      : inner_(std::move(inner)), state_(std::make_unique<inflate_state>()), buffer_(kBufferSize) {
    start_member();
  }

  Result<std::string_view> next() override {
    for (;;) {
      if (state_->avail_in == 0 && !ended_) TRY(refill());
      if (!in_member_) {
        while (state_->avail_in > 0 && *state_->next_in == 0) ++state_->next_in, --state_->avail_in;
        if (state_->avail_in == 0 && !ended_) continue;
        if (state_->avail_in == 0) return std::string_view();
        start_member_here();
      }
      state_->next_out = reinterpret_cast<std::uint8_t*>(buffer_.data());
      state_->avail_out = static_cast<std::uint32_t>(buffer_.size());
      const int code = isal_inflate(state_.get());
      const std::size_t made = buffer_.size() - state_->avail_out;
      if (code < 0 || code == ISAL_NEED_DICT)
        return fail(Kind::InvalidArgument, "damaged gzip data (igzip error {})", code);
      if (state_->block_state == ISAL_BLOCK_FINISH)
        in_member_ = false;
      else if (made == 0 && state_->avail_in == 0 && ended_)
        return fail(Kind::InvalidArgument, "truncated gzip data: unexpected EOF");
      if (made > 0) return std::string_view(buffer_.data(), made);
    }
  }

 private:
  Result<void> refill() {
    const auto bytes = TRY(inner_->next());
    if (bytes.empty()) ended_ = true;
    state_->next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(bytes.data()));
    state_->avail_in = static_cast<std::uint32_t>(bytes.size());
    return {};
  }
  void start_member() {
    isal_inflate_init(state_.get());
    state_->crc_flag = ISAL_GZIP;
    in_member_ = true;
  }
  void start_member_here() {
    auto* in = state_->next_in;
    const auto available = state_->avail_in;
    start_member();
    state_->next_in = in;
    state_->avail_in = available;
  }

  std::unique_ptr<Source> inner_;
  std::unique_ptr<inflate_state> state_;
  Buffer buffer_;
  bool in_member_ = false;
  bool ended_ = false;
};

class ZstdSource final : public Source {
 public:
  explicit ZstdSource(std::unique_ptr<Source> inner)
      : inner_(std::move(inner)), stream_(ZSTD_createDStream(), ZSTD_freeDStream), buffer_(kBufferSize) {
    // A frame may ask for a window of up to 2 GiB; what registries serve stays far below 128 MiB.
    ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, 27);
  }

  Result<std::string_view> next() override {
    for (;;) {
      if (in_.pos == in_.size && !ended_) {
        const auto bytes = TRY(inner_->next());
        ended_ = bytes.empty();
        in_ = {bytes.data(), bytes.size(), 0};
      }
      ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
      const std::size_t before = in_.pos;
      const std::size_t code = ZSTD_decompressStream(stream_.get(), &out, &in_);
      if (ZSTD_isError(code))
        return fail(Kind::InvalidArgument, "damaged zstd data: {}", ZSTD_getErrorName(code));
      if (in_.pos > before || out.pos > 0) frame_open_ = code != 0;
      if (out.pos > 0) return std::string_view(buffer_.data(), out.pos);
      if (ended_) {
        if (frame_open_) return fail(Kind::InvalidArgument, "truncated zstd data: unexpected EOF");
        return std::string_view();
      }
    }
  }

 private:
  std::unique_ptr<Source> inner_;
  std::unique_ptr<ZSTD_DStream, std::size_t (*)(ZSTD_DStream*)> stream_;
  Buffer buffer_;
  ZSTD_inBuffer in_{nullptr, 0, 0};
  bool ended_ = false;
  bool frame_open_ = true;
};

std::unique_ptr<Source> decoder(std::unique_ptr<Source> plain, Compression compression) {
  switch (compression) {
    case Compression::None:
      break;
    case Compression::Gzip:
      return std::make_unique<GzipSource>(std::move(plain));
    case Compression::Zstd:
      return std::make_unique<ZstdSource>(std::move(plain));
    case Compression::Bzip2:
      return bzip2_source(std::move(plain));
    case Compression::Xz:
      return xz_source(std::move(plain));
  }
  return plain;
}

std::unique_ptr<Source> decompressed(std::unique_ptr<Source> plain, Compression compression,
                                     const spec::LayerLimits& limits) {
  if (compression == Compression::None)
    return std::make_unique<LimitSource>(std::move(plain), nullptr, limits);
  auto counted = std::make_unique<CountingSource>(std::move(plain));
  const CountingSource* counter = counted.get();
  return std::make_unique<LimitSource>(decoder(std::move(counted), compression), counter, limits);
}

}  // namespace

Compression detect_compression(std::string_view first_bytes) {
  using namespace std::string_view_literals;
  if (first_bytes.starts_with("\x1f\x8b\x08"sv)) return Compression::Gzip;
  if (first_bytes.starts_with("\x28\xb5\x2f\xfd"sv)) return Compression::Zstd;
  // A skippable frame, with which seekable zstd variants may start (RFC 8878, 3.1.2).
  if (first_bytes.size() >= 4 && (first_bytes[0] & 0xf0) == 0x50 &&
      first_bytes.substr(1, 3) == "\x2a\x4d\x18"sv)
    return Compression::Zstd;
  if (first_bytes.starts_with("BZh"sv)) return Compression::Bzip2;
  if (first_bytes.starts_with("\xfd\x37\x7a\x58\x5a\x00"sv)) return Compression::Xz;
  return Compression::None;
}

Result<std::unique_ptr<Source>> open_source(const sys::Fd& fd, const spec::LayerLimits& limits) {
  // Only a hint: a pipe or socket has no read-ahead.
  (void)posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  auto plain = std::make_unique<FdSource>(fd.get());
  const auto first_bytes = TRY(plain->peek());
  return decompressed(std::move(plain), detect_compression(first_bytes), limits);
}

Result<std::unique_ptr<Source>> decompress(std::unique_ptr<HeadSource> inner,
                                           const spec::LayerLimits& limits) {
  const auto first_bytes = TRY(inner->peek(kMagicSize));
  return decompressed(std::move(inner), detect_compression(first_bytes), limits);
}

Result<std::string_view> HeadSource::peek(std::size_t size) {
  while (head_.size() < size) {
    const auto bytes = TRY(inner_.next());
    if (bytes.empty()) break;
    head_ += bytes;
  }
  return std::string_view(head_).substr(0, size);
}

Result<std::string_view> HeadSource::next() {
  if (taken_ || head_.empty()) return inner_.next();
  taken_ = true;
  return std::string_view(head_);
}

std::unique_ptr<Source> memory_source(std::string bytes) {
  return std::make_unique<MemorySource>(std::move(bytes));
}

Result<std::string_view> DigestSource::next() {
  const auto bytes = TRY(inner_.next());
  hasher_.update(bytes);
  bytes_ += bytes.size();
  return bytes;
}

Result<spec::Digest> DigestSource::finish() {
  while (!TRY(next()).empty()) {
  }
  return hasher_.finish();
}

}  // namespace skiff::archive
