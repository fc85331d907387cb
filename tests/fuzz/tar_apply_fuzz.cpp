#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "archive/apply.h"
#include "archive/source.h"
#include "scratch.h"
#include "sys/file.h"
#include "tar_mutator.h"

// Any bytes as a layer and as a build context, through decompression, tar reading and placing. Whatever
// happens, the folder above the target stays as it was.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skiff;
  const std::string& base = fuzz::scratch();
  const std::string target = base + "/root";
  for (const auto& options : {archive::layer_options(), archive::context_options()}) {
    std::filesystem::create_directory(target);
    const sys::Fd file(::memfd_create("input", MFD_CLOEXEC));
    if (!sys::write_all(file, {reinterpret_cast<const char*>(data), size}).ok()) std::abort();
    ::lseek(file.get(), 0, SEEK_SET);
    if (auto source = archive::open_source(file); source.ok())
      (void)archive::apply(**source, *sys::open_directory(target), options);
    if (auto names = sys::list_directory(base); names.ok() && names->size() != 1) std::abort();
    if (!sys::remove_tree(target).ok()) std::abort();
  }
  return 0;
}
