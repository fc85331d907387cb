#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace skiff::cli {

/// A standard stream of ours. Standard output is gathered and written in large pieces; standard error
/// goes out at once, after what was printed before it.
class Output {
 public:
  explicit Output(int fd, Output* before = nullptr) : fd_(fd), before_(before) {}
  ~Output() { flush(); }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void write(std::string_view text);
  template <typename... Args>
  void print(fmt::format_string<Args...> format, Args&&... args) {
    write(fmt::format(format, std::forward<Args>(args)...));
  }
  void flush();
  int fd() const { return fd_; }
  bool is_terminal() const;

 private:
  static constexpr std::size_t kFlushAt = 64 << 10;

  int fd_;
  Output* before_;
  std::string buffer_;
};

}  // namespace skiff::cli
