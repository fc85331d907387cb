#include <cstddef>
#include <cstdint>
#include <string_view>

#include "build/frontend/ignore.h"

/// The rules, then a NUL, then the path to judge.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto end = text.find('\0');
  const auto rules = skiff::build::IgnoreRules::parse(text.substr(0, end));
  if (!rules.ok()) return 0;
  (void)rules->excludes(end == std::string_view::npos ? "a/b/c" : text.substr(end + 1));
  return 0;
}
