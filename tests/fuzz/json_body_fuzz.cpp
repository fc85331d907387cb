#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "api/build_request.h"
#include "api/query.h"
#include "spec/defaults.h"
#include "spec/docker/container.h"
#include "spec/docker/exec.h"
#include "spec/docker/network.h"
#include "spec/docker/volume.h"
#include "spec/oci_image.h"
#include "spec/oci_runtime.h"

namespace {

/// What was read once must survive being written and read again.
template <typename T>
void round_trip(std::string_view text) {
  const auto value = skiff::json::decode<T>(text);
  if (!value.ok()) return;
  const auto written = skiff::json::encode(*value);
  const auto again = skiff::json::decode<T>(written);
  if (!again.ok() || skiff::json::encode(*again) != written) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skiff::spec;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  round_trip<docker::ContainerCreate>(text);
  round_trip<docker::ContainerUpdate>(text);
  round_trip<docker::ExecCreate>(text);
  round_trip<docker::ExecStart>(text);
  round_trip<docker::NetworkCreate>(text);
  round_trip<docker::NetworkConnect>(text);
  round_trip<docker::VolumeCreate>(text);
  round_trip<oci::Image>(text);
  round_trip<oci::Manifest>(text);
  if (const auto runtime = skiff::json::decode<oci::Runtime>(text); runtime.ok())
    (void)oci::validate(*runtime);
  round_trip<oci::Runtime>(text);
  (void)seccomp_from_profile(text, {}, "amd64", 6, 1);
  (void)skiff::api::build_request(skiff::api::Query::parse(text));
  return 0;
}
