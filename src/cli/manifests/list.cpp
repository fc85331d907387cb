#include "cli/manifests/list.h"

#include <algorithm>
#include <iterator>

#include "spec/oci_image.h"

namespace skiff::cli {

namespace {

constexpr std::string_view kPlatforms[] = {
    "darwin/386",    "darwin/amd64",   "darwin/arm",    "darwin/arm64",  "dragonfly/amd64", "freebsd/386",
    "freebsd/amd64", "freebsd/arm",    "linux/386",     "linux/amd64",   "linux/arm",       "linux/arm64",
    "linux/mips64",  "linux/mips64le", "linux/ppc64le", "linux/riscv64", "linux/s390x",     "netbsd/386",
    "netbsd/amd64",  "netbsd/arm",     "openbsd/386",   "openbsd/amd64", "openbsd/arm",     "plan9/386",
    "plan9/amd64",   "solaris/amd64",  "windows/386",   "windows/amd64"};

constexpr std::string_view kIndent = "   ";

}  // namespace

Result<spec::docker::ManifestList> make_list(const std::vector<spec::docker::ManifestRecord>& records,
                                             const spec::Reference& target) {
  spec::docker::ManifestList list;
  for (const auto& record : records) {
    const auto reference = TRY(spec::Reference::parse(record.reference));
    if (reference.domain() != target.domain())
      return fail(Kind::InvalidArgument,
                  "cannot use source images from a different registry than the target image: {} != {}",
                  reference.domain(), target.domain());
    const auto& from = record.descriptor;
    list.manifests.push_back(
        {from.media_type, from.size, from.digest, from.platform.value_or(spec::docker::ManifestPlatform())});
  }
  const bool is_oci =
      !list.manifests.empty() && list.manifests.front().media_type == spec::oci::kMediaTypeManifest;
  list.media_type = is_oci ? spec::oci::kMediaTypeIndex : spec::oci::kDockerManifestList;
  return list;
}

std::string list_text(const spec::docker::ManifestList& list) {
  return json::to_pretty_text(json::to_value(list), kIndent);
}

bool is_known_platform(std::string_view os, std::string_view architecture) {
  const std::string name = std::string(os) + "/" + std::string(architecture);
  return std::find(std::begin(kPlatforms), std::end(kPlatforms), name) != std::end(kPlatforms);
}

}  // namespace skiff::cli
