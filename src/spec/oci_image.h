#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "spec/digest.h"
#include "spec/json_shape.h"
#include "spec/platform.h"

/// The OCI image specification's JSON documents (config.md, manifest.md, image-index.md, descriptor.md),
/// with the members that Docker adds to the image config.
namespace skiff::spec::oci {

inline constexpr std::string_view kMediaTypeManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kMediaTypeIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kMediaTypeConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kMediaTypeLayer = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view kMediaTypeLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view kMediaTypeLayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr std::string_view kDockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kDockerManifestList =
    "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kDockerConfig = "application/vnd.docker.container.image.v1+json";
inline constexpr std::string_view kDockerLayer = "application/vnd.docker.image.rootfs.diff.tar";
inline constexpr std::string_view kDockerLayerGzip = "application/vnd.docker.image.rootfs.diff.tar.gzip";
inline constexpr std::string_view kDockerLayerZstd = "application/vnd.docker.image.rootfs.diff.tar.zstd";
inline constexpr std::string_view kDockerForeignLayer =
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
inline constexpr std::string_view kDockerSchema1 = "application/vnd.docker.distribution.manifest.v1+json";
inline constexpr std::string_view kDockerSchema1Signed =
    "application/vnd.docker.distribution.manifest.v1+prettyjws";

/// Docker's HEALTHCHECK. Durations are nanoseconds; 0 means inherited or default.
struct HealthConfig {
  std::vector<std::string> test;  ///< {} inherit, {"NONE"}, {"CMD", args...}, {"CMD-SHELL", line};
                                  ///< beyond Docker {"TCP", target}, {"HTTP", target}
  std::int64_t interval = 0;
  std::int64_t timeout = 0;
  std::int64_t start_period = 0;
  std::int64_t start_interval = 0;
  int retries = 0;
  int restart_unhealthy = 0;  ///< beyond Docker: so many restarts in a row of one that turned unhealthy

  friend bool operator==(const HealthConfig&, const HealthConfig&) = default;
};

/// How to run the image ("config" of the image configuration).
struct ImageConfig {
  std::string user;
  Set exposed_ports;             ///< "80/tcp"
  std::vector<std::string> env;  ///< "NAME=value"
  std::vector<std::string> entrypoint;
  std::vector<std::string> cmd;
  Set volumes;
  std::string working_dir;
  std::map<std::string, std::string> labels;
  std::string stop_signal;
  bool args_escaped = false;
  // Docker's own
  std::optional<HealthConfig> healthcheck;
  std::vector<std::string> on_build;
  std::vector<std::string> shell;

  friend bool operator==(const ImageConfig&, const ImageConfig&) = default;
};

struct RootFs {
  std::string type = "layers";
  std::vector<Digest> diff_ids;  ///< bottom first

  friend bool operator==(const RootFs&, const RootFs&) = default;
};

struct History {
  std::optional<Time> created;
  std::string created_by;
  std::string author;
  std::string comment;
  bool empty_layer = false;

  friend bool operator==(const History&, const History&) = default;
};

/// The image configuration; the digest of its text is the image's id.
struct Image {
  std::optional<Time> created;
  std::string author;
  Platform platform;  ///< its members stand at the top level
  std::string os_version;
  ImageConfig config;
  RootFs rootfs;
  std::vector<History> history;

  friend bool operator==(const Image&, const Image&) = default;
};

struct Descriptor {
  std::string media_type;
  Digest digest;
  std::int64_t size = 0;
  std::vector<std::string> urls;
  std::map<std::string, std::string> annotations;
  std::string data;  ///< base64
  std::optional<Platform> platform;
  std::string artifact_type;

  friend bool operator==(const Descriptor&, const Descriptor&) = default;
};

struct Manifest {
  int schema_version = 2;
  std::string media_type;
  std::string artifact_type;
  Descriptor config;
  std::vector<Descriptor> layers;
  std::optional<Descriptor> subject;
  std::map<std::string, std::string> annotations;
};

struct Index {
  int schema_version = 2;
  std::string media_type;
  std::string artifact_type;
  std::vector<Descriptor> manifests;
  std::optional<Descriptor> subject;
  std::map<std::string, std::string> annotations;
};

/// The file "oci-layout" of an image layout.
struct Layout {
  std::string version = "1.0.0";
};

void describe(json::Fields& f, HealthConfig& health);
void describe(json::Fields& f, ImageConfig& config);
void describe(json::Fields& f, RootFs& rootfs);
void describe(json::Fields& f, History& history);
void describe(json::Fields& f, Image& image);
void describe(json::Fields& f, Descriptor& descriptor);
void describe(json::Fields& f, Manifest& manifest);
void describe(json::Fields& f, Index& index);
void describe(json::Fields& f, Layout& layout);

/// The name of a stack of layers: chain(L0) = L0, chain(L0..Ln) = sha256("<chain(L0..Ln-1)> <Ln>")
/// (config.md, "Layer ChainID"). One answer for each of `diff_ids`.
std::vector<Digest> chain_ids(const std::vector<Digest>& diff_ids);

}  // namespace skiff::spec::oci
