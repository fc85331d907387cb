#include "spec/oci_image.h"

namespace skiff::spec::oci {

using json::Omit;

void describe(json::Fields& f, HealthConfig& health) {
  f("Test", health.test, Omit::Empty);
  f("Interval", health.interval, Omit::Empty);
  f("Timeout", health.timeout, Omit::Empty);
  f("StartPeriod", health.start_period, Omit::Empty);
  f("StartInterval", health.start_interval, Omit::Empty);
  f("Retries", health.retries, Omit::Empty);
  f("RestartUnhealthy", health.restart_unhealthy, Omit::Empty);
}

void describe(json::Fields& f, ImageConfig& config) {
  f("User", config.user, Omit::Empty);
  f("ExposedPorts", config.exposed_ports, Omit::Empty);
  f("Env", config.env, Omit::Empty);
  string_or_list(f, "Entrypoint", config.entrypoint, Omit::Empty);
  string_or_list(f, "Cmd", config.cmd, Omit::Empty);
  f("Volumes", config.volumes, Omit::Empty);
  f("WorkingDir", config.working_dir, Omit::Empty);
  f("Labels", config.labels, Omit::Empty);
  f("StopSignal", config.stop_signal, Omit::Empty);
  f("ArgsEscaped", config.args_escaped, Omit::Empty);
  f("Healthcheck", config.healthcheck, Omit::Empty);
  f("OnBuild", config.on_build, Omit::Empty);
  string_or_list(f, "Shell", config.shell, Omit::Empty);
}

void describe(json::Fields& f, RootFs& rootfs) {
  f("type", rootfs.type);
  digest_list_field(f, "diff_ids", rootfs.diff_ids);
}

void describe(json::Fields& f, History& history) {
  f("created", history.created, Omit::Empty);
  f("created_by", history.created_by, Omit::Empty);
  f("author", history.author, Omit::Empty);
  f("comment", history.comment, Omit::Empty);
  f("empty_layer", history.empty_layer, Omit::Empty);
}

void describe(json::Fields& f, Image& image) {
  f("created", image.created, Omit::Empty);
  f("author", image.author, Omit::Empty);
  describe(f, image.platform);
  f("os.version", image.os_version, Omit::Empty);
  f("config", image.config);
  f("rootfs", image.rootfs);
  f("history", image.history, Omit::Empty);
}

void describe(json::Fields& f, Descriptor& descriptor) {
  f("mediaType", descriptor.media_type, Omit::Empty);
  digest_field(f, "digest", descriptor.digest);
  f("size", descriptor.size);
  f("urls", descriptor.urls, Omit::Empty);
  f("annotations", descriptor.annotations, Omit::Empty);
  f("data", descriptor.data, Omit::Empty);
  f("platform", descriptor.platform, Omit::Empty);
  f("artifactType", descriptor.artifact_type, Omit::Empty);
}

void describe(json::Fields& f, Manifest& manifest) {
  f("schemaVersion", manifest.schema_version);
  f("mediaType", manifest.media_type, Omit::Empty);
  f("artifactType", manifest.artifact_type, Omit::Empty);
  f("config", manifest.config);
  f("layers", manifest.layers);
  f("subject", manifest.subject, Omit::Empty);
  f("annotations", manifest.annotations, Omit::Empty);
}

void describe(json::Fields& f, Index& index) {
  f("schemaVersion", index.schema_version);
  f("mediaType", index.media_type, Omit::Empty);
  f("artifactType", index.artifact_type, Omit::Empty);
  f("manifests", index.manifests);
  f("subject", index.subject, Omit::Empty);
  f("annotations", index.annotations, Omit::Empty);
}

void describe(json::Fields& f, Layout& layout) { f("imageLayoutVersion", layout.version); }

std::vector<Digest> chain_ids(const std::vector<Digest>& diff_ids) {
  std::vector<Digest> chain;
  chain.reserve(diff_ids.size());
  for (const auto& diff_id : diff_ids) {
    if (chain.empty())
      chain.push_back(diff_id);
    else
      chain.push_back(Digest::of(chain.back().to_string() + " " + diff_id.to_string()));
  }
  return chain;
}

}  // namespace skiff::spec::oci
