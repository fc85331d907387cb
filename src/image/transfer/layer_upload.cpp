#include "image/transfer/layer_upload.h"

#include <fcntl.h>

#include <algorithm>

#include "sys/file.h"

namespace skiff::image {
namespace {

constexpr std::size_t kPiece = 512 << 10;
constexpr int kPipeSize = 1 << 20;
/// For each of several layers at a time.
constexpr unsigned kMostThreads = 8;

}  // namespace

LayerReader::LayerReader(Store& store, const Layer& layer, archive::Compression compression,
                         std::function<void(std::uint64_t)> progress)
    : store_(store), layer_(layer), compression_(compression), progress_(std::move(progress)) {}

LayerReader::~LayerReader() {
  tar_.reset();  // a writer that still writes ends here
  (void)join();
}

Result<void> LayerReader::open() {
  const unsigned threads = std::min(std::thread::hardware_concurrency(), kMostThreads);
  if (compression_ == archive::Compression::Zstd)
    compressor_ = TRY(archive::zstd_compressor(threads));
  else
    compressor_ = archive::gzip_compressor(threads);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe");
  tar_ = sys::Fd(ends[0]);
  sys::Fd out(ends[1]);
  ::fcntl(out.get(), F_SETPIPE_SZ, kPipeSize);  // smaller is only slower
  plain_.resize(kPiece);
  writer_ = std::thread([this, out = std::move(out)]() mutable {
    written_ = store_.write_layer(layer_, out);
    out.reset();
  });
  return {};
}

Result<void> LayerReader::join() {
  if (writer_.joinable()) writer_.join();
  return written_;
}

Result<void> LayerReader::refill() {
  ready_.clear();
  taken_ = 0;
  while (ready_.empty() && !ended_) {
    const std::size_t count = TRY(sys::read_some(tar_, plain_.data(), plain_.size()));
    ended_ = count == 0;
    // Before the stream gets its end: a tar that is not whole must not look like one.
    if (ended_) TRY(join());
    TRY(compressor_->write(std::string_view(plain_).substr(0, count), ended_, ready_));
    read_ += count;
    progress_(read_);
  }
  return {};
}

Result<std::size_t> LayerReader::read(char* buffer, std::size_t size) {
  if (taken_ == ready_.size()) TRY(refill());
  const std::size_t count = ready_.copy(buffer, size, taken_);
  hasher_.update(std::string_view(buffer, count));
  taken_ += count;
  size_ += count;
  return count;
}

}  // namespace skiff::image
