#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/checkpoint.h"
#include "runtime/criu.h"
#include "sys/fd.h"

/// What checkpoint() and restore() have in common.
namespace skiff::runtime {

/// The directories of an image, open as long as criu works in them.
struct ImageDirectories {
  sys::Fd images;
  sys::Fd work;
};
/// Opens them, the work directory made when it is missing, and enters them, the log and criu's configuration
/// file into `options`. They are opened from criu's own root: it mounts things in them, which the kernel
/// allows only in directories of its own mount namespace.
Result<ImageDirectories> enter_image(const Image& image, const spec::oci::Runtime& config, const Criu& criu,
                                     bool restoring, criu::Options& options);

/// The namespaces of a kind that criu leaves alone when they are somebody else's: their name in the
/// configuration, in /proc, and in images.
struct ExternalNamespace {
  const char* type;
  const char* proc_name;
  const char* key;
};
inline constexpr ExternalNamespace kExternalNamespaces[] = {{"network", "net", "extRootNetNS"},
                                                            {"pid", "pid", "extRootPidNS"}};

/// The path of the namespace to join, or "".
std::string namespace_path(const spec::oci::Runtime& config, std::string_view type);
/// Whether the container has a new namespace of that type.
bool has_own_namespace(const spec::oci::Runtime& config, std::string_view type);

/// criu's own failures with the name of its log.
Error with_log(Error error, const Image& image, bool restoring);

/// "descriptors.json" of an image.
Result<void> save_descriptors(const Image& image, const std::vector<std::string>& descriptors);
Result<std::vector<std::string>> load_descriptors(const Image& image);

}  // namespace skiff::runtime
