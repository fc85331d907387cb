#include "build/ops/frames.h"

#include <algorithm>

namespace skiff::build {

void FrameReader::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (left_ == 0) {
      const std::size_t take = std::min<std::size_t>(8 - header_.size(), bytes.size());
      header_.append(bytes.substr(0, take));
      bytes.remove_prefix(take);
      if (header_.size() < 8) return;
      const auto byte = [this](std::size_t i) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(header_[i]));
      };
      stream_ = byte(0) == 2 ? Stream::Error : Stream::Output;
      left_ = byte(4) << 24 | byte(5) << 16 | byte(6) << 8 | byte(7);
      header_.clear();
      continue;
    }
    const std::size_t take = std::min<std::size_t>(left_, bytes.size());
    sink_.write(stream_, bytes.substr(0, take));
    left_ -= static_cast<std::uint32_t>(take);
    bytes.remove_prefix(take);
  }
}

}  // namespace skiff::build
