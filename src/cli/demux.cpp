#include "cli/demux.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/strings.h"

namespace skiff::cli {

namespace {
constexpr int kSystemError = 3;
}

void write_fully(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) {
      pollfd wait{fd, POLLOUT, 0};
      ::poll(&wait, 1, -1);
      continue;
    }
    if (written <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void Demultiplexer::flush() {
  write_fully(descriptors_[gathered_stream_ == 2 ? 1 : 0], gathered_);
  gathered_.clear();
}

void Demultiplexer::gather(std::string_view bytes) {
  if (stream_ == kSystemError) {
    system_error_ += bytes;
    return;
  }
  if (gathered_stream_ != stream_) flush();
  gathered_stream_ = stream_;
  // Large pieces are not worth a copy.
  if (gathered_.empty() && bytes.size() >= (16 << 10))
    write_fully(descriptors_[stream_ == 2 ? 1 : 0], bytes);
  else
    gathered_ += bytes;
}

Result<void> Demultiplexer::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (left_ > 0) {
      const std::size_t count = std::min(left_, bytes.size());
      gather(bytes.substr(0, count));
      bytes.remove_prefix(count);
      left_ -= count;
      continue;
    }
    if (!system_error_.empty()) break;
    const std::size_t count = std::min(kHeader - header_size_, bytes.size());
    std::copy_n(bytes.begin(), count, header_.begin() + static_cast<std::ptrdiff_t>(header_size_));
    header_size_ += count;
    bytes.remove_prefix(count);
    if (header_size_ < kHeader) break;
    header_size_ = 0;
    stream_ = header_[0];
    if (stream_ > kSystemError) {
      flush();
      return fail(Kind::Unavailable, "Unrecognized input header: {}", stream_);
    }
    left_ = static_cast<std::size_t>(header_[4]) << 24 | static_cast<std::size_t>(header_[5]) << 16 |
            static_cast<std::size_t>(header_[6]) << 8 | header_[7];
  }
  flush();
  if (left_ == 0 && !system_error_.empty())
    return fail(Kind::Unavailable, "error from daemon in stream: {}", system_error_);
  return {};
}

}  // namespace skiff::cli
