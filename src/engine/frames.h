#pragma once

#include <string>
#include <string_view>

namespace skiff::engine {

/// Docker's header in front of a piece of output on a connection without terminal: stream number and size.
inline std::string frame(int stream, std::string_view bytes) {
  const auto size = static_cast<std::uint32_t>(bytes.size());
  std::string framed(8, '\0');
  framed[0] = static_cast<char>(stream);
  for (int i = 0; i < 4; ++i)
    framed[static_cast<std::size_t>(4 + i)] = static_cast<char>(size >> (24 - 8 * i));
  framed += bytes;
  return framed;
}

}  // namespace skiff::engine
