#include "spec/docker/image.h"

namespace skiff::spec::docker {

using json::Omit;

namespace {

/// The image's config as inspect shows it: by name, with the members that Docker always writes.
struct ShownConfig {
  oci::ImageConfig& config;
};

void describe(json::Fields& f, ShownConfig& shown) {
  auto& config = shown.config;
  f("ArgsEscaped", config.args_escaped, Omit::Empty);
  null_when_empty(f, "Cmd", config.cmd);
  null_when_empty(f, "Entrypoint", config.entrypoint);
  null_when_empty(f, "Env", config.env);
  f("ExposedPorts", config.exposed_ports, Omit::Empty);
  f("Healthcheck", config.healthcheck, Omit::Empty);
  null_when_empty(f, "Labels", config.labels);
  null_when_empty(f, "OnBuild", config.on_build);
  f("Shell", config.shell, Omit::Empty);
  f("StopSignal", config.stop_signal, Omit::Empty);
  f("User", config.user);
  null_when_empty(f, "Volumes", config.volumes);
  f("WorkingDir", config.working_dir);
}

/// Answers of Docker's engine have none.
void extra_field(json::Fields& f, ImageExtra& extra) {
  if (f.reading() || extra.pinned || extra.last_used != Time{}) f("Skiff", extra);
}

}  // namespace

void describe(json::Fields& f, LayerList& list) { f("DiffIDs", list.diff_ids); }

void describe(json::Fields& f, SaveRequest& request) {
  f("Names", request.names);
  f("Without", request.without);
}

void describe(json::Fields& f, ImageExtra& extra) {
  f("Pinned", extra.pinned);
  f("LastUsed", extra.last_used);
}

void describe(json::Fields& f, ImageSummary& image) {
  f("Containers", image.containers);
  f("Created", image.created);
  f("Id", image.id);
  null_when_empty(f, "Labels", image.labels);
  f("ParentId", image.parent_id);
  f("RepoDigests", image.repo_digests);
  f("RepoTags", image.repo_tags);
  f("SharedSize", image.shared_size);
  f("Size", image.size);
  extra_field(f, image.skiff);
}

void describe(json::Fields& f, ImageRootFs& rootfs) {
  f("Type", rootfs.type, Omit::Empty);
  f("Layers", rootfs.layers, Omit::Empty);
}

void describe(json::Fields& f, ImageMetadata& metadata) { f("LastTagTime", metadata.last_tag_time); }

void describe(json::Fields& f, ImageInspect& image) {
  f("Id", image.id);
  f("RepoTags", image.repo_tags);
  f("RepoDigests", image.repo_digests);
  f("Parent", image.parent);
  f("Comment", image.comment);
  f("Created", image.created, Omit::Empty);
  f("DockerVersion", image.docker_version);
  f("Author", image.author);
  f("Architecture", image.architecture);
  f("Variant", image.variant, Omit::Empty);
  f("Os", image.os);
  f("OsVersion", image.os_version, Omit::Empty);
  f("Size", image.size);
  f("GraphDriver", image.graph_driver);
  f("RootFS", image.root_fs);
  f("Metadata", image.metadata);
  extra_field(f, image.skiff);
  if (f.reading()) {
    f("Config", image.config);
  } else {
    ShownConfig shown{image.config};
    f("Config", shown);
  }
}

void describe(json::Fields& f, ImageHistoryItem& item) {
  f("Comment", item.comment);
  f("Created", item.created);
  f("CreatedBy", item.created_by);
  f("Id", item.id);
  f("Size", item.size);
  null_when_empty(f, "Tags", item.tags);
}

void describe(json::Fields& f, ImageDeleteItem& item) {
  f("Deleted", item.deleted, Omit::Empty);
  f("Untagged", item.untagged, Omit::Empty);
}

void describe(json::Fields& f, ImagePruneReport& report) {
  null_when_empty(f, "ImagesDeleted", report.images_deleted);
  f("SpaceReclaimed", report.space_reclaimed);
}

}  // namespace skiff::spec::docker
