#include "cli/output.h"

#include <unistd.h>

#include <cerrno>

namespace skiff::cli {

void Output::write(std::string_view text) {
  if (before_) before_->flush();
  buffer_ += text;
  if (before_ || buffer_.size() >= kFlushAt) flush();
}

void Output::flush() {
  std::string_view rest = buffer_;
  while (!rest.empty()) {
    const ssize_t written = ::write(fd_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;  // nobody is left to be told
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  buffer_.clear();
}

bool Output::is_terminal() const { return ::isatty(fd_) == 1; }

}  // namespace skiff::cli
