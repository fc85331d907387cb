#include <zlib.h>

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <thread>
#include <vector>

#include "archive/compressor.h"
#include "base/thread.h"

/// gzip by ISA-L, block by block. Each block is a run of deflate blocks that ends at a byte and refers to
/// nothing before it, so blocks are compressed beside each other and put one after the other, as pigz does.
namespace skiff::archive {
namespace {

constexpr int kLevel = 2;
/// So large that what is lost by not looking back over its start does not count.
constexpr std::size_t kBlock = 1 << 20;
/// RFC 1952, 2.3: deflate, no flags, no time, nothing said of the level, Unix.
constexpr std::string_view kHeader("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);
/// An empty last block (RFC 1951, 3.2.6).
constexpr std::string_view kEnd("\x03\0", 2);

struct Block {
  std::string plain;
  std::string packed;
  std::uint32_t crc = 0;
  bool done = false;
  Result<void> outcome;
};

/// What a thread needs for one block after the other.
class Deflater {
 public:
  Deflater() : level_buffer_(ISAL_DEF_LVL2_LARGE) { isal_deflate_init(&stream_); }

  Result<void> deflate(Block& block) {
    isal_deflate_reset(&stream_);
    stream_.level = kLevel;
    stream_.level_buf = level_buffer_.data();
    stream_.level_buf_size = static_cast<std::uint32_t>(level_buffer_.size());
    stream_.gzip_flag = IGZIP_DEFLATE;
    stream_.flush = FULL_FLUSH;
    stream_.end_of_stream = 0;
    auto* plain = reinterpret_cast<std::uint8_t*>(block.plain.data());
    stream_.next_in = plain;
    stream_.avail_in = static_cast<std::uint32_t>(block.plain.size());
    block.packed.resize(block.plain.size() / 2 + 1024);
    std::size_t size = 0;
    for (;;) {
      stream_.next_out = reinterpret_cast<std::uint8_t*>(block.packed.data() + size);
      stream_.avail_out = static_cast<std::uint32_t>(block.packed.size() - size);
      if (const int code = isal_deflate(&stream_); code != COMP_OK)
        return fail(Kind::Internal, "gzip (igzip error {})", code);
      size = block.packed.size() - stream_.avail_out;
      if (stream_.avail_out > 0) break;
      block.packed.resize(block.packed.size() * 2);
    }
    block.packed.resize(size);
    block.crc = crc32_gzip_refl(0, plain, block.plain.size());
    return {};
  }

 private:
  isal_zstream stream_{};
  std::vector<std::uint8_t> level_buffer_;
};

class GzipCompressor final : public Compressor {
 public:
  explicit GzipCompressor(unsigned threads) : most_(std::max(threads, 1u)) {}
  ~GzipCompressor() override {
    {
      const MutexLock lock(mutex_);
      ended_ = true;
      changed_.notify_all();
    }
    for (auto& thread : threads_) thread.join();
  }

  Result<void> write(std::string_view plain, bool last, std::string& out) override {
    while (!plain.empty()) {
      const auto piece = plain.substr(0, kBlock - next_.size());
      next_ += piece;
      plain.remove_prefix(piece.size());
      if (next_.size() == kBlock) TRY(give(out));
    }
    if (!last) return {};
    if (!next_.empty()) TRY(give(out));
    TRY(collect(0, out));
    begin(out);
    out += kEnd;
    for (const std::uint32_t number : {crc_, static_cast<std::uint32_t>(size_)})
      for (unsigned shift = 0; shift < 32; shift += 8) out += static_cast<char>(number >> shift & 0xff);
    return {};
  }

 private:
  /// The full block goes to the threads.
  Result<void> give(std::string& out) EXCLUDES(mutex_);
  /// Takes what is done, and waits until no more than `most` blocks are left.
  Result<void> collect(std::size_t most, std::string& out) EXCLUDES(mutex_);
  Result<void> append(const Block& block, std::string& out);
  void begin(std::string& out) {
    if (!std::exchange(begun_, true)) out += kHeader;
  }
  void work() EXCLUDES(mutex_);

  const std::size_t most_;
  std::string next_;  ///< the block that is not full yet
  bool begun_ = false;
  std::uint32_t crc_ = 0;
  std::uint64_t size_ = 0;
  Mutex mutex_;
  std::condition_variable changed_;
  std::deque<Block> blocks_ GUARDED_BY(mutex_);   ///< in their order, until they are in the output
  std::size_t unclaimed_ GUARDED_BY(mutex_) = 0;  ///< the last so many of them nobody works on yet
  bool ended_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

Result<void> GzipCompressor::give(std::string& out) {
  std::size_t waiting = 0;
  {
    const MutexLock lock(mutex_);
    blocks_.emplace_back().plain = std::exchange(next_, {});
    waiting = ++unclaimed_;
    changed_.notify_all();
  }
  next_.reserve(kBlock);
  // The first for the first block; more of them only when they have something to do.
  if (threads_.empty() || (waiting > 1 && threads_.size() < most_)) threads_.emplace_back([this] { work(); });
  return collect(2 * most_, out);
}

Result<void> GzipCompressor::collect(std::size_t most, std::string& out) {
  for (;;) {
    Block done;
    {
      MutexLock lock(mutex_);
      while (blocks_.size() > most && !blocks_.front().done) lock.wait(changed_);
      if (blocks_.empty() || !blocks_.front().done) return {};
      done = std::move(blocks_.front());
      blocks_.pop_front();
    }
    TRY(append(done, out));
  }
}

Result<void> GzipCompressor::append(const Block& block, std::string& out) {
  TRY(Result<void>(block.outcome));
  begin(out);
  out += block.packed;
  crc_ = static_cast<std::uint32_t>(crc32_combine(crc_, block.crc, static_cast<z_off_t>(block.plain.size())));
  size_ += block.plain.size();
  return {};
}

void GzipCompressor::work() {
  Deflater deflater;
  for (;;) {
    Block* block = nullptr;
    {
      MutexLock lock(mutex_);
      while (unclaimed_ == 0 && !ended_) lock.wait(changed_);
      if (ended_) return;
      // A deque's other elements stay where they are when one is added or taken at an end.
      block = &blocks_[blocks_.size() - unclaimed_--];
    }
    block->outcome = deflater.deflate(*block);
    const MutexLock lock(mutex_);
    block->done = true;
    changed_.notify_all();
  }
}

}  // namespace

std::unique_ptr<Compressor> gzip_compressor(unsigned threads) {
  return std::make_unique<GzipCompressor>(threads);
}

}  // namespace skiff::archive
