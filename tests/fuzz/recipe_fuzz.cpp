#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "archive/apply.h"
#include "archive/recorder.h"
#include "archive/replay.h"
#include "sys/file.h"

// Any bytes as a layer: what can be unpacked is made again from its recipe byte for byte. And any bytes as a
// recipe: it is refused or followed, and never leads out of the layer.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace sys = skiff::sys;
  namespace recipes = skiff::archive;  // "archive" alone is libarchive's too
  static const std::string root = [] {
    std::string name = "/tmp/skiff-fuzz-XXXXXX";
    if (!::mkdtemp(name.data())) std::abort();
    return name;
  }();
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
  const sys::Fd recipe(::memfd_create("recipe", MFD_CLOEXEC));
  if (!sys::write_all(recipe, std::string(recipes::kRecipeMagic) + input).ok()) std::abort();
  (void)recipes::replay(recipe, layer, [](std::string_view) -> skiff::Result<void> { return {}; });
  if (!sys::remove_tree(target).ok()) std::abort();
  return 0;
}
