#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/result.h"

namespace skiff::cli {

/// Takes Docker's stream frames (stream number, three zeros, length as 32 bits big-endian, bytes) apart and
/// writes the bytes to the two descriptors, as many as possible with one system call.
class Demultiplexer {
 public:
  Demultiplexer(int out, int err) : descriptors_{out, err} {}

  /// The next piece of the connection, cut anywhere. Unavailable when it is no such stream, or carries the
  /// engine's own error.
  Result<void> feed(std::string_view bytes);

 private:
  void gather(std::string_view bytes);
  void flush();

  static constexpr std::size_t kHeader = 8;
  std::array<int, 2> descriptors_;
  std::array<unsigned char, kHeader> header_{};
  std::size_t header_size_ = 0;
  std::size_t left_ = 0;  ///< of the current frame
  int stream_ = 1;
  int gathered_stream_ = 1;
  std::string gathered_;
  std::string system_error_;
};

/// write(2) until all is written; what nobody reads any more is dropped.
void write_fully(int fd, std::string_view bytes);

}  // namespace skiff::cli
