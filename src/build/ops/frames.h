#pragma once

#include <string>
#include <string_view>

#include "build/solver/op.h"

namespace skiff::build {

/// Takes Docker's stream frames apart: [stream, 0, 0, 0, big-endian length] and that many bytes. Frames may
/// come in any pieces; their content is passed on as it comes.
class FrameReader {
 public:
  explicit FrameReader(Sink& sink) : sink_(sink) {}
  void feed(std::string_view bytes);

 private:
  Sink& sink_;
  std::string header_;
  std::uint32_t left_ = 0;
  Stream stream_ = Stream::Output;
};

}  // namespace skiff::build
