#include <cstdlib>

#include "archive/contents.h"

// What a layer's table of contents becomes can be written down and read again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  constexpr std::uint64_t kBlob = 1 << 20;
  const auto index = skiff::archive::parse_contents(bytes, kBlob, {1 << 30, 1000, 0});
  if (index.ok() && !skiff::archive::decode_index(skiff::archive::encode_index(*index), kBlob).ok())
    std::abort();
  const auto read = skiff::archive::decode_index(bytes, kBlob);
  if (read.ok() && !skiff::archive::decode_index(skiff::archive::encode_index(*read), kBlob).ok())
    std::abort();
  return 0;
}
