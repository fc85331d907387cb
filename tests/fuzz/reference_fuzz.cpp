#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "spec/digest.h"
#include "spec/platform.h"
#include "spec/reference.h"

/// A reference that is accepted must come back the same from both of its spellings.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skiff::spec;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)Digest::parse(text);
  (void)Platform::parse(text);
  const auto reference = Reference::parse(text);
  if (!reference.ok()) return 0;
  for (const auto& spelled : {reference->to_string(), reference->familiar()}) {
    const auto again = Reference::parse(spelled);
    if (!again.ok() || !(*again == *reference)) std::abort();
  }
  return 0;
}
