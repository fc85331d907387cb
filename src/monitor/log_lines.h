#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "monitor/log_format.h"

namespace skiff::monitor {

/// Cuts the output of both streams into lines: at newlines, and after kMaxLine bytes.
///
///     std::string_view rest = what_was_read;
///     while (auto line = lines.next(stream, rest)) use(*line);
class LogLines {
 public:
  struct Line {
    std::string_view bytes;  ///< without the newline; valid until the next call
    bool partial = false;    ///< no newline follows
  };

  /// The next line that ends within `rest`, which then begins behind it; nothing once all of `rest` belongs
  /// to an unfinished line, which is kept until its end arrives.
  std::optional<Line> next(Stream stream, std::string_view& rest);
  /// The stream is over: its unfinished line, if there is one.
  std::optional<Line> finish(Stream stream);

  /// The unfinished line of a stream, as far as it is not yet given out as a part.
  std::string& open(Stream stream) { return open_[stream == Stream::Stderr]; }

 private:
  std::string open_[2];
  std::string done_;  ///< what `Line::bytes` points to when a line came in several pieces
};

/// What LogLines::open() becomes by `bytes`, without cutting them.
void follow_open_line(std::string& open, std::string_view bytes);

}  // namespace skiff::monitor
