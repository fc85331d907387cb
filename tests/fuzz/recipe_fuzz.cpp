#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "archive/apply.h"
#include "archive/recorder.h"
#include "archive/replay.h"
#include "scratch.h"
#include "sys/file.h"
#include "tar_mutator.h"

namespace {

void number(std::string& to, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) to += static_cast<char>(value | 0x80);
  to += static_cast<char>(value);
}

/// A recipe of these operations, which zstd's checksum would hide from the fuzzer. The first byte says how
/// many of them are contents of the file 0 instead.
std::string recipe_of(std::string_view operations) {
  std::string recipe(skiff::archive::kRecipeMagic);
  const std::size_t replaced =
      operations.empty() ? 0 : static_cast<unsigned char>(operations.front()) % operations.size();
  for (const char kind : {'r', 'o'}) {
    const auto raw = kind == 'r' ? operations.substr(0, replaced) : operations.substr(replaced);
    std::string packed(ZSTD_compressBound(raw.size()), '\0');
    packed.resize(ZSTD_compress(packed.data(), packed.size(), raw.data(), raw.size(), 1));
    if (kind == 'r' && replaced % 2 == 0) continue;
    recipe += kind;
    for (const std::uint64_t value : {raw.size(), packed.size(), std::size_t{0}, replaced})
      number(recipe, value);
    recipe += packed;
  }
  recipe += 'e';
  for (const std::uint64_t value : {0, 0, 1 << 16, 1}) number(recipe, value);
  return recipe;
}

}  // namespace

// Any bytes as a layer: what can be unpacked is made again from its recipe byte for byte. And any bytes as a
// recipe, and as the operations of one: it is refused or followed, and never leads out of the layer.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace sys = skiff::sys;
  namespace recipes = skiff::archive;  // "archive" alone is libarchive's too
  const std::string& root = skiff::fuzz::scratch();
  const std::string input(reinterpret_cast<const char*>(data), size);
  const std::string target = root + "/layer";
  std::filesystem::create_directory(target);
  const sys::Fd layer = *sys::open_directory(target);
  std::string again;
  const auto sink = [&](std::string_view bytes) -> skiff::Result<void> {
    again += bytes;
    return {};
  };
  {
    const sys::Fd recipe(::memfd_create("recipe", MFD_CLOEXEC));
    auto source = recipes::memory_source(input);
    recipes::Recorder recorder(*source, recipe);
    if (recipes::apply(recorder, layer, recipes::layer_options(), &recorder).ok()) {
      if (!recorder.finish().ok()) std::abort();
      if (!recipes::replay(recipe, layer, sink).ok() || again != input) std::abort();
    }
  }
  for (const auto& text : {std::string(recipes::kRecipeMagic) + input, recipe_of(input)}) {
    const sys::Fd recipe(::memfd_create("recipe", MFD_CLOEXEC));
    if (!sys::write_all(recipe, text).ok()) std::abort();
    (void)recipes::replay(recipe, layer, [](std::string_view) -> skiff::Result<void> { return {}; });
  }
  if (!sys::remove_tree(target).ok()) std::abort();
  return 0;
}
