#include "monitor/log_lines.h"

#include <algorithm>
#include <cstring>

namespace skiff::monitor {

std::optional<LogLines::Line> LogLines::next(Stream stream, std::string_view& rest) {
  std::string& open_line = open(stream);
  const std::size_t room = kMaxLine - open_line.size();
  // A line that fills the room to its end is whole if a newline follows: hence one byte more.
  if (rest.empty()) return std::nullopt;
  const void* newline = std::memchr(rest.data(), '\n', std::min(rest.size(), room + 1));
  std::size_t length = 0;
  if (newline) {
    length = static_cast<std::size_t>(static_cast<const char*>(newline) - rest.data());
  } else if (rest.size() > room) {
    length = room;
  } else {
    open_line.append(rest);
    rest = {};
    return std::nullopt;
  }
  Line line{.bytes = rest.substr(0, length), .partial = !newline};
  rest.remove_prefix(newline ? length + 1 : length);
  if (!open_line.empty()) {
    done_.assign(open_line).append(line.bytes);
    open_line.clear();
    line.bytes = done_;
  }
  return line;
}

std::optional<LogLines::Line> LogLines::finish(Stream stream) {
  std::string& open_line = open(stream);
  if (open_line.empty()) return std::nullopt;
  done_.swap(open_line);
  open_line = std::string();
  return Line{.bytes = done_, .partial = true};
}

void follow_open_line(std::string& open, std::string_view bytes) {
  if (bytes.empty()) return;
  if (const void* newline = ::memrchr(bytes.data(), '\n', bytes.size())) {
    open.clear();
    bytes.remove_prefix(static_cast<std::size_t>(static_cast<const char*>(newline) - bytes.data()) + 1);
  }
  const std::size_t total = open.size() + bytes.size();
  if (total > kMaxLine) {
    const std::size_t left = (total - 1) % kMaxLine + 1;
    if (left <= bytes.size()) {
      open.assign(bytes.substr(bytes.size() - left));
      return;
    }
    open.erase(0, total - left);
  }
  open.append(bytes);
}

}  // namespace skiff::monitor
