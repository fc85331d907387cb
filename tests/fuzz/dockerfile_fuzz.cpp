#include <cstddef>
#include <cstdint>
#include <string_view>

#include "build/frontend/compile.h"

namespace {

class AnyImages : public skiff::build::BaseImages {
 public:
  skiff::Result<skiff::build::BaseImage> resolve(const std::string& name, const std::string&) override {
    skiff::build::BaseImage base;
    base.id = "sha256:" + name;
    base.image.config.env = {"PATH=/bin", "x=1"};
    return base;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto file = skiff::build::parse_dockerfile(text, "Dockerfile");
  if (!file.ok()) return 0;
  AnyImages images;
  skiff::build::CompileOptions options;
  options.build_arguments = {{"arg", "value"}, {"HTTP_PROXY", "p"}};
  (void)skiff::build::compile(*file, options, images);
  return 0;
}
