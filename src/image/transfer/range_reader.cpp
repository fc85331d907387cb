#include "image/transfer/range_reader.h"

#include <algorithm>
#include <functional>
#include <thread>
#include <vector>

namespace skiff::image {

/// The threads of the further connections: begun when the server has shown that it takes ranges, ended with
/// this object.
class RangeReader::Others {
 public:
  Others(RangeReader& reader, const std::stop_token& stop)
      : reader_(reader), chain_(stop, [this] { end(); }) {}
  ~Others() {
    end();
    for (auto& thread : threads_) thread.join();
  }
  Others(const Others&) = delete;
  Others& operator=(const Others&) = delete;

  void begin() {
    while (threads_.size() < kMostOthers) {
      auto slot = reader_.others_.take_free();
      if (!slot) return;
      threads_.emplace_back([this, held = *std::move(slot)] { reader_.help(stop_.get_token()); });
    }
  }

 private:
  void end() {
    stop_.request_stop();
    const MutexLock lock(reader_.mutex_);
    reader_.changed_.notify_all();
  }

  RangeReader& reader_;
  std::stop_source stop_;
  std::vector<std::thread> threads_;
  const std::stop_callback<std::function<void()>> chain_;  ///< the last member: it uses the others
};

Result<void> RangeReader::read(std::uint64_t offset, const registry::BlobSink& sink,
                               const std::stop_token& stop) {
  if (size_ - std::min(offset, size_) < kLeastParts * part_)
    return repository_.read_blob(digest_, {offset, {}, {}, {}}, sink, stop);
  {
    const MutexLock lock(mutex_);
    at_ = next_ = offset;
    parts_.clear();
  }
  Others others(*this, stop);
  const registry::BlobSink counting = [&](std::uint64_t place, std::string_view piece) -> Result<void> {
    TRY(sink(place, piece));
    const MutexLock lock(mutex_);
    at_ = std::max(at_, place + piece.size());
    // An answer may go on past the end of what was asked for. Parts that were overtaken have no turn any
    // more, and whoever helps must not stay behind: both would fill the memory.
    parts_.erase(parts_.begin(), parts_.lower_bound(at_));
    next_ = std::max(next_, at_);
    changed_.notify_all();
    return {};
  };
  for (;;) {
    std::uint64_t before = 0;
    {
      const MutexLock lock(mutex_);
      before = at_;
    }
    if (before >= size_) return {};
    if (TRY(give_part(counting, stop))) continue;
    TRY(own_part(counting, stop, others));
    const MutexLock lock(mutex_);
    // An answer without a byte: whoever asked finds that something is missing.
    if (at_ == before) return {};
  }
}

/// The part whose turn it is, on this thread's connection: nobody has asked for it, or without success.
Result<void> RangeReader::own_part(const registry::BlobSink& sink, const std::stop_token& stop,
                                   Others& others) {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  {
    const MutexLock lock(mutex_);
    begin = at_;
    end = end_of(begin);
    // After a part that broke off up to the next one that somebody has.
    if (const auto next = parts_.upper_bound(begin); next != parts_.end()) end = std::min(end, next->first);
    next_ = std::max(next_, end);
    changed_.notify_all();
  }
  return repository_.read_blob(digest_, {begin, end, [&] { others.begin(); }, {}}, sink, stop);
}

/// Gives on what another connection brings of the part whose turn it is, while it comes. False when none
/// does.
Result<bool> RangeReader::give_part(const registry::BlobSink& sink, const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] {
    const MutexLock lock(mutex_);
    changed_.notify_all();
  });
  std::shared_ptr<Part> part;
  std::uint64_t at = 0;
  {
    const MutexLock lock(mutex_);
    at = at_;
    const auto found = parts_.find(at_);
    if (found == parts_.end()) return false;
    part = found->second;
  }
  const std::uint64_t begin = at;
  for (;;) {
    std::string bytes;
    bool ended = false;
    {
      MutexLock lock(mutex_);
      while (part->bytes.empty() && !part->ended && !stop.stop_requested()) lock.wait(changed_);
      if (stop.stop_requested()) return Error(Kind::Cancelled, "context canceled");
      bytes.swap(part->bytes);
      ended = part->ended;
    }
    TRY(sink(at, bytes));
    at += bytes.size();
    const MutexLock lock(mutex_);
    if (ended) parts_.erase(begin);
    changed_.notify_all();
    if (ended) return true;
  }
}

/// One part after the other on a connection of this thread's.
void RangeReader::help(const std::stop_token& stop) {
  std::uint64_t begin = 0;
  while (const auto part = claim(begin, stop)) {
    const bool whole = fetch(begin, *part, stop);
    const MutexLock lock(mutex_);
    part->ended = true;
    changed_.notify_all();
    // A registry that fails or limits connections is not pressed: the others go on without this one.
    if (!whole) return;
  }
}

/// The next part that nobody has asked for, once few enough wait for their turn; nothing at the end.
std::shared_ptr<RangeReader::Part> RangeReader::claim(std::uint64_t& begin, const std::stop_token& stop) {
  MutexLock lock(mutex_);
  while (next_ < size_ && next_ >= at_ + kMostOthers * part_ && !stop.stop_requested()) lock.wait(changed_);
  if (next_ >= size_ || stop.stop_requested()) return nullptr;
  begin = next_;
  next_ = end_of(begin);
  return parts_[begin] = std::make_shared<Part>();
}

/// Whether all of the part came.
bool RangeReader::fetch(std::uint64_t begin, Part& part, const std::stop_token& stop) {
  const std::uint64_t end = end_of(begin);
  std::uint64_t here = begin;
  const registry::BlobSink keep = [&](std::uint64_t place, std::string_view piece) -> Result<void> {
    if (place != here || here + piece.size() > end)
      return fail(Kind::Unavailable, "the registry sent another part of {} than the one that was asked for",
                  digest_.to_string());
    const MutexLock lock(mutex_);
    part.bytes += piece;
    here += piece.size();
    changed_.notify_all();
    return {};
  };
  // What is missing afterwards is asked for again in its turn, and what goes wrong then is told. Asked once:
  // whoever waits for the part's turn would wait for the pauses, too.
  return repository_.read_blob(digest_, {begin, end, {}, 1}, keep, stop).ok() && here == end;
}

}  // namespace skiff::image
