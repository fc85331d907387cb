#pragma once

#include <cstddef>

namespace skiff::monitor {

/// Numbers in files are little-endian on every machine.
template <typename T>
void put_little(char* out, T value, std::size_t bytes = sizeof(T)) {
  for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<char>(value >> (8 * i));
}

template <typename T>
T get_little(const char* in, std::size_t bytes = sizeof(T)) {
  T value = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    value |= static_cast<T>(static_cast<unsigned char>(in[i])) << (8 * i);
  return value;
}

}  // namespace skiff::monitor
