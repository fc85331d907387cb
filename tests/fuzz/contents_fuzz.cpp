#include <cstdint>
#include <cstdlib>

#include "archive/contents.h"
#include "archive/estargz.h"

// What a layer's table of contents becomes can be written down and read again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  constexpr std::uint64_t kBlob = 1 << 20;
  for (const auto& estargz : {std::optional<std::uint64_t>(), std::optional(kBlob / 2)})
    // Also without a limit of the bytes: a table of a line may tell of any number.
    for (const std::uint64_t most : {1 << 30, 0}) {
      const auto index = skiff::archive::parse_contents(bytes, {kBlob, estargz}, {most, 1000, 0});
      if (index.ok() && !skiff::archive::decode_index(skiff::archive::encode_index(*index), kBlob).ok())
        std::abort();
    }
  (void)skiff::archive::estargz_contents(bytes, kBlob);
  const auto read = skiff::archive::decode_index(bytes, kBlob);
  if (read.ok() && !skiff::archive::decode_index(skiff::archive::encode_index(*read), kBlob).ok())
    std::abort();
  return 0;
}
