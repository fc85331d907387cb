#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace skiff::log {

enum class Level { Debug, Info, Warning, Error };

/// What is less important than `level` is not written. Info at the start.
void set_level(Level level);
bool enabled(Level level);

/// Writes one line to standard error: RFC 3339 time, level, text. Each line is one write(2), so lines of
/// several threads never mix. The outermost caller logs a failure, once; libraries return it.
void write(Level level, std::string_view text);

template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::Debug)) write(Level::Debug, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::Info)) write(Level::Info, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::Warning)) write(Level::Warning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::Error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace skiff::log
