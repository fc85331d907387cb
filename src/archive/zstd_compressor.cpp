#include <zstd.h>

#include <algorithm>

#include "archive/compressor.h"

namespace skiff::archive {
namespace {

constexpr int kLevel = 3;

class ZstdCompressor final : public Compressor {
 public:
  ZstdCompressor() : context_(ZSTD_createCCtx(), ZSTD_freeCCtx), piece_(ZSTD_CStreamOutSize(), '\0') {}

  Result<void> open(unsigned threads) {
    // One thread at least: without any the output is another one.
    TRY(set(ZSTD_c_nbWorkers, static_cast<int>(std::max(threads, 1u))));
    TRY(set(ZSTD_c_compressionLevel, kLevel));
    return set(ZSTD_c_checksumFlag, 1);
  }

  Result<void> write(std::string_view plain, bool last, std::string& out) override {
    // The end by itself: given together with the last bytes, zstd learns from the first call how much there
    // is, and the same bytes in other pieces become another output.
    TRY(drive(plain, ZSTD_e_continue, out));
    if (last) TRY(drive({}, ZSTD_e_end, out));
    return {};
  }

 private:
  Result<void> drive(std::string_view plain, ZSTD_EndDirective how, std::string& out) {
    ZSTD_inBuffer in{plain.data(), plain.size(), 0};
    for (;;) {
      ZSTD_outBuffer piece{piece_.data(), piece_.size(), 0};
      const std::size_t left = ZSTD_compressStream2(context_.get(), &piece, &in, how);
      if (ZSTD_isError(left)) return fail(Kind::Internal, "zstd: {}", ZSTD_getErrorName(left));
      out.append(piece_, 0, piece.pos);
      if (how == ZSTD_e_end ? left == 0 : in.pos == in.size) return {};
    }
  }

  Result<void> set(ZSTD_cParameter parameter, int value) {
    const std::size_t code = ZSTD_CCtx_setParameter(context_.get(), parameter, value);
    if (ZSTD_isError(code)) return fail(Kind::Internal, "zstd: {}", ZSTD_getErrorName(code));
    return {};
  }

  std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> context_;
  std::string piece_;
};

}  // namespace

Result<std::unique_ptr<Compressor>> zstd_compressor(unsigned threads) {
  auto compressor = std::make_unique<ZstdCompressor>();
  TRY(compressor->open(threads));
  return std::unique_ptr<Compressor>(std::move(compressor));
}

}  // namespace skiff::archive
