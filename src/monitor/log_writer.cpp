#include "monitor/log_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "sys/file.h"

namespace skiff::monitor {
namespace {

constexpr std::size_t kPendingLimit = 1 << 20;

std::string_view view(const std::string& text) { return text; }

/// Finds the segments of a directory, lowest number first.
Result<std::vector<std::uint64_t>> list_segments(const std::string& directory) {
  std::vector<std::uint64_t> numbers;
  for (const std::string& name : TRY(sys::list_directory(directory))) {
    if (const auto number = parse_segment_name(name)) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

/// The length that a segment should be cut to. Looks at the last record only, as long as that is whole.
Result<std::uint64_t> whole_length(const sys::Fd& file, std::uint64_t size) {
  if (size == kSegmentMagic.size()) return size;
  if (size >= kSegmentMagic.size() + encoded_size(0)) {
    std::string tail(std::min<std::uint64_t>(size, encoded_size(kMaxLine)), '\0');
    if (::pread(file.get(), tail.data(), tail.size(), static_cast<off_t>(size - tail.size())) ==
        static_cast<ssize_t>(tail.size())) {
      const auto payload = parse_trailer(view(tail).substr(tail.size() - kRecordTrailer));
      if (payload && encoded_size(*payload) <= tail.size()) {
        const auto last = parse_record(view(tail).substr(tail.size() - encoded_size(*payload)));
        if (last.state == Parse::Complete) return size;
      }
    }
  }
  if (::lseek(file.get(), 0, SEEK_SET) < 0) return fail_errno("seek in log");
  return valid_length(TRY(sys::read_all(file)));
}

}  // namespace

Result<LogWriter> LogWriter::open(std::string directory, std::uint64_t max_bytes, int max_files) {
  LogWriter writer;
  writer.directory_ = std::move(directory);
  writer.max_bytes_ = max_bytes;
  writer.max_files_ = std::max(max_files, 1);
  TRY(sys::make_directories(writer.directory_, 0700));
  const auto numbers = TRY(list_segments(writer.directory_));
  TRY(writer.open_segment(numbers.empty() ? 1 : numbers.back()));
  return writer;
}

Result<void> LogWriter::open_segment(std::uint64_t number) {
  const std::string path = directory_ + "/" + segment_name(number);
  file_ = TRY(sys::open_file(path, O_RDWR | O_CREAT | O_APPEND, 0600));
  number_ = number;
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) return fail_errno("stat {}", path);
  const auto found = static_cast<std::uint64_t>(status.st_size);
  size_ = found == 0 ? 0 : TRY(whole_length(file_, found));
  if (size_ != found && ::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) {
    return fail_errno("truncate {}", path);
  }
  if (size_ == 0) {
    TRY(sys::write_all(file_, kSegmentMagic));
    size_ = kSegmentMagic.size();
  }
  return success();
}

Result<void> LogWriter::rotate() {
  TRY(open_segment(number_ + 1));
  for (const std::uint64_t number : TRY(list_segments(directory_))) {
    if (number + static_cast<std::uint64_t>(max_files_) > number_) break;
    ::unlink((directory_ + "/" + segment_name(number)).c_str());
  }
  return success();
}

void LogWriter::put(Stream stream, bool partial, std::string_view bytes, Time time) {
  const std::uint64_t size = encoded_size(bytes.size());
  const bool segment_full = max_bytes_ > 0 && size_ + pending_.size() + size > max_bytes_ &&
                            size_ + pending_.size() > kSegmentMagic.size();
  if (segment_full || pending_.size() + size > kPendingLimit) {
    if (auto written = write_pending(); !written && !failure_) failure_ = std::move(written).error();
  }
  if (segment_full) {
    if (auto rotated = rotate(); !rotated && !failure_) failure_ = std::move(rotated).error();
  }
  append_record(pending_, {.stream = stream, .partial = partial, .time = time, .bytes = bytes});
  ++pending_records_;
}

void LogWriter::append(Stream stream, std::string_view bytes, Time time) {
  std::string& open_line = unfinished_[stream == Stream::Stderr];
  while (!bytes.empty()) {
    const std::size_t room = kMaxLine - open_line.size();
    const void* newline = std::memchr(bytes.data(), '\n', std::min(bytes.size(), room + 1));
    if (newline) {
      const auto length = static_cast<std::size_t>(static_cast<const char*>(newline) - bytes.data());
      if (open_line.empty()) {
        put(stream, false, bytes.substr(0, length), time);
      } else {
        open_line.append(bytes.substr(0, length));
        put(stream, false, open_line, time);
        open_line.clear();
      }
      bytes.remove_prefix(length + 1);
    } else if (bytes.size() > room) {
      open_line.append(bytes.substr(0, room));
      put(stream, true, open_line, time);
      open_line.clear();
      bytes.remove_prefix(room);
    } else {
      open_line.append(bytes);
      return;
    }
  }
}

void LogWriter::finish(Stream stream, Time time) {
  std::string& open_line = unfinished_[stream == Stream::Stderr];
  if (open_line.empty()) return;
  put(stream, true, open_line, time);
  open_line = std::string();
}

Result<void> LogWriter::write_pending() {
  if (pending_.empty()) return success();
  std::string_view rest = pending_;
  std::optional<Error> failure;
  while (!rest.empty()) {
    const ssize_t written = ::write(file_.get(), rest.data(), rest.size());
    if (written > 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (written == 0 || errno != EINTR) {
      failure = Error::from_errno(fmt::format("write log {}/{}", directory_, segment_name(number_)),
                                  written == 0 ? ENOSPC : errno);
      break;
    }
  }
  if (failure) {
    // What got through ends in a torn record: back to where this batch began.
    if (::ftruncate(file_.get(), static_cast<off_t>(size_)) == 0) lost_ += pending_records_;
  } else {
    size_ += pending_.size();
  }
  pending_.clear();
  pending_records_ = 0;
  if (failure) return *std::move(failure);
  return success();
}

Result<void> LogWriter::flush() {
  auto written = write_pending();
  if (failure_) {
    Error error = *std::move(failure_);
    failure_.reset();
    return error;
  }
  return written;
}

void LogWriter::trim() {
  if (pending_.empty()) pending_ = std::string();
}

}  // namespace skiff::monitor
