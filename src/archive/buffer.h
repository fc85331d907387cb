#pragma once

#include <cstddef>
#include <memory>

namespace skiff::archive {

/// Memory that is written before it is read, and so is not zeroed first, as a vector's would be: a small
/// layer touches no more of it than it needs.
class Buffer {
 public:
  explicit Buffer(std::size_t size) : bytes_(std::make_unique_for_overwrite<char[]>(size)), size_(size) {}
  char* data() const { return bytes_.get(); }
  std::size_t size() const { return size_; }

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t size_;
};

}  // namespace skiff::archive
