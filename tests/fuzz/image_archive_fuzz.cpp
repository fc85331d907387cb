#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "archive/image_archive.h"
#include "archive/side_thread.h"
#include "image/docker_manifest.h"
#include "scratch.h"
#include "spec/manifest.h"
#include "sys/file.h"
#include "tar_mutator.h"

// Any bytes as an archive of images, and what stands in it as the documents of one. Whatever happens, the
// folder above the scratch folder stays as it was.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skiff;
  const std::string& base = fuzz::scratch();
  const std::string scratch = base + "/scratch";
  std::filesystem::create_directory(scratch);
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  auto source = archive::memory_source(bytes);
  static archive::SideThread aside;
  const auto entries = archive::unpack_images(*source, *sys::open_directory(scratch), {std::string(64, 'a')},
                                              spec::LayerLimits{}, aside);
  if (entries.ok())
    for (const auto& entry : *entries) {
      if (entry.kind != archive::ImageArchiveEntry::Kind::Document) continue;
      const auto text = sys::read_file(scratch + "/" + entry.place);
      if (!text.ok()) std::abort();
      (void)image::parse_docker_manifests(*text);
      (void)spec::oci::parse_document(*text, "");
    }
  (void)image::parse_docker_manifests(bytes);
  if (auto names = sys::list_directory(base); names.ok() && names->size() != 1) std::abort();
  if (!sys::remove_tree(scratch).ok()) std::abort();
  return 0;
}
