#include "monitor/log_reader.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "sys/file.h"

namespace skiff::monitor {
namespace {

constexpr std::size_t kReadSize = 128 << 10;

/// A missing directory is an empty log.
Result<std::vector<std::uint64_t>> segments(const std::string& directory) {
  std::vector<std::uint64_t> numbers;
  auto names = sys::list_directory(directory);
  if (!names) {
    if (names.error().kind() == Kind::NotFound) return numbers;
    return std::move(names).error();
  }
  for (const std::string& name : *names) {
    if (const auto number = parse_segment_name(name)) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

/// Reads a segment backwards, record by record.
class BackwardScan {
 public:
  BackwardScan(const sys::Fd& file, std::uint64_t end) : file_(file), end_(end) {}

  std::uint64_t end() const { return end_; }

  /// Steps over the record that ends at end(); nothing at the segment's start or when it is not whole.
  Result<std::optional<LogRecord>> previous() {
    if (end_ < kSegmentMagic.size() + encoded_size(0)) return std::optional<LogRecord>();
    const auto trailer = parse_trailer(TRY(bytes(end_ - kRecordTrailer, kRecordTrailer)));
    if (!trailer || encoded_size(*trailer) + kSegmentMagic.size() > end_) return std::optional<LogRecord>();
    const std::uint64_t begin = end_ - encoded_size(*trailer);
    const auto parsed = parse_record(TRY(bytes(begin, encoded_size(*trailer))));
    if (parsed.state != Parse::Complete) return std::optional<LogRecord>();
    end_ = begin;
    return std::optional(parsed.record);
  }

 private:
  /// `size` bytes at `offset`, out of a window that is loaded so that it ends there.
  Result<std::string_view> bytes(std::uint64_t offset, std::size_t size) {
    if (offset < start_ || offset + size > start_ + window_.size()) {
      const std::uint64_t stop = offset + size;
      start_ = stop > kReadSize ? stop - kReadSize : 0;
      window_.resize(stop - start_);
      const ssize_t count = ::pread(file_.get(), window_.data(), window_.size(), static_cast<off_t>(start_));
      if (count < 0) return fail_errno("read log");
      window_.resize(static_cast<std::size_t>(count));
      if (offset + size > start_ + window_.size()) return std::string_view();
    }
    return std::string_view(window_).substr(offset - start_, size);
  }

  const sys::Fd& file_;
  std::uint64_t end_;
  std::uint64_t start_ = 0;
  std::string window_;
};

/// Where the whole records of an open segment end.
Result<std::uint64_t> segment_end(const sys::Fd& file) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return fail_errno("stat log");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (BackwardScan scan(file, size); size <= kSegmentMagic.size() || TRY(scan.previous())) return size;
  // The end is being written, or torn: find the last whole record from the front.
  if (::lseek(file.get(), 0, SEEK_SET) < 0) return fail_errno("seek in log");
  return std::uint64_t{valid_length(TRY(sys::read_all(file)))};
}

}  // namespace

Result<LogReader> LogReader::open(std::string directory, LogQuery query) {
  LogReader reader;
  reader.directory_ = std::move(directory);
  reader.query_ = query;
  if (query.tail) TRY(reader.seek_tail(*query.tail));
  return reader;
}

Result<void> LogReader::seek_tail(std::uint64_t lines) {
  const auto numbers = TRY(segments(directory_));
  std::uint64_t seen = 0;
  for (auto number = numbers.rbegin(); number != numbers.rend(); ++number) {
    auto file = sys::open_file(directory_ + "/" + segment_name(*number), O_RDONLY);
    if (!file) {
      if (file.error().kind() == Kind::NotFound) break;  // rotated away meanwhile
      return std::move(file).error();
    }
    BackwardScan scan(*file, TRY(segment_end(*file)));
    bool newest = number == numbers.rbegin();
    while (true) {
      const std::uint64_t end = scan.end();
      const auto record = TRY(scan.previous());
      if (!record) break;
      // The parts of a long line stand before its end and belong to it; what ends the log counts as a line.
      if (!record->partial || (newest && seen == 0)) ++seen;
      newest = false;
      if (seen > lines) {
        TRY(open_segment(*number, end));
        return success();
      }
    }
  }
  return success();
}

Result<bool> LogReader::open_segment(std::uint64_t number, std::uint64_t offset) {
  auto file = sys::open_file(directory_ + "/" + segment_name(number), O_RDONLY);
  if (!file) {
    if (file.error().kind() == Kind::NotFound) return false;
    return std::move(file).error();
  }
  file_ = *std::move(file);
  number_ = number;
  offset_ = offset;
  buffer_.clear();
  position_ = 0;
  started_ = offset > 0;
  skip_rest_ = false;
  return true;
}

Result<bool> LogReader::next_segment() {
  for (const std::uint64_t number : TRY(segments(directory_))) {
    if (number > number_ && TRY(open_segment(number, 0))) return true;
  }
  return false;
}

Result<bool> LogReader::fill() {
  buffer_.erase(0, position_);
  position_ = 0;
  const std::size_t old = buffer_.size();
  buffer_.resize(old + kReadSize);
  ssize_t count = 0;
  do {
    count = ::pread(file_.get(), buffer_.data() + old, kReadSize, static_cast<off_t>(offset_));
  } while (count < 0 && errno == EINTR);
  const int code = errno;
  buffer_.resize(old + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  if (count < 0) return Error::from_errno("read log", code);
  offset_ += static_cast<std::uint64_t>(count);
  return count > 0;
}

bool LogReader::wanted(const LogRecord& record) const {
  if (record.stream == Stream::Stdout ? !query_.standard_output : !query_.standard_error) return false;
  return !query_.since || record.time >= *query_.since;
}

Result<std::optional<LogRecord>> LogReader::next() {
  while (!passed_until_) {
    if (!file_.valid() && !TRY(next_segment())) break;
    const std::string_view rest = std::string_view(buffer_).substr(position_);
    if (skip_rest_) {
      damaged_ += rest.size();
      position_ = buffer_.size();
    } else if (!started_ && rest.size() >= kSegmentMagic.size()) {
      started_ = true;
      if (rest.starts_with(kSegmentMagic))
        position_ += kSegmentMagic.size();
      else
        skip_rest_ = true;
      continue;
    } else if (started_) {
      const ParsedRecord parsed = parse_record(rest);
      if (parsed.state == Parse::Complete) {
        position_ += parsed.size;
        if (query_.until && parsed.record.time > *query_.until)
          passed_until_ = true;
        else if (wanted(parsed.record))
          return std::optional(parsed.record);
        continue;
      }
      if (parsed.state == Parse::Damaged) {
        skip_rest_ = true;
        continue;
      }
    }
    if (TRY(fill())) continue;
    // The end of this segment. The writer never comes back to it once there is a higher one; look for that
    // first and read once more, since both may have happened after the read above.
    const auto numbers = TRY(segments(directory_));
    if (numbers.empty() || numbers.back() <= number_) break;
    if (TRY(fill())) continue;
    damaged_ += buffer_.size() - position_;
    if (!TRY(next_segment())) break;
  }
  return std::optional<LogRecord>();
}

Result<LogReader::Wake> LogReader::wait(std::chrono::milliseconds timeout, int interrupt) {
  bool fresh = false;
  if (!inotify_.valid()) {
    inotify_ = sys::Fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!inotify_.valid()) return fail_errno("inotify_init1");
    if (::inotify_add_watch(inotify_.get(), directory_.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0) {
      inotify_.reset();  // no directory yet: poll for it
      timeout = std::min(timeout, std::chrono::milliseconds(100));
    } else {
      fresh = true;
    }
  }
  // What was written before the watch existed woke nobody.
  if (fresh) return Wake::More;
  pollfd polls[2] = {{.fd = inotify_.get(), .events = POLLIN, .revents = 0},
                     {.fd = interrupt, .events = POLLIN | POLLRDHUP, .revents = 0}};
  const int count = ::poll(polls, 2, static_cast<int>(timeout.count()));
  if (count < 0 && errno != EINTR) return fail_errno("poll");
  if (count <= 0) return Wake::Timeout;
  if (polls[1].revents != 0) return Wake::Interrupted;
  char events[4096];
  while (::read(inotify_.get(), events, sizeof(events)) > 0) {
  }
  return Wake::More;
}

}  // namespace skiff::monitor
