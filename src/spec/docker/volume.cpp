#include "spec/docker/volume.h"

#include "spec/json_shape.h"

namespace skiff::spec::docker {

using json::Omit;

void describe(json::Fields& f, VolumeUsage& usage) {
  f("RefCount", usage.ref_count);
  f("Size", usage.size);
}

void describe(json::Fields& f, Volume& volume) {
  Time shown = std::chrono::floor<std::chrono::seconds>(volume.created_at);
  f("CreatedAt", f.reading() ? volume.created_at : shown, Omit::Empty);
  f("Driver", volume.driver);
  null_when_empty(f, "Labels", volume.labels);
  f("Mountpoint", volume.mountpoint);
  f("Name", volume.name);
  null_when_empty(f, "Options", volume.options);
  f("Scope", volume.scope);
  f("UsageData", volume.usage_data, Omit::Empty);
}

void describe(json::Fields& f, VolumeCreate& request) {
  f("Name", request.name, Omit::Empty);
  f("Driver", request.driver, Omit::Empty);
  f("DriverOpts", request.driver_opts, Omit::Empty);
  f("Labels", request.labels, Omit::Empty);
}

void describe(json::Fields& f, VolumeList& list) {
  f("Volumes", list.volumes);
  null_when_empty(f, "Warnings", list.warnings);
}

void describe(json::Fields& f, VolumePruneReport& report) {
  null_when_empty(f, "VolumesDeleted", report.volumes_deleted);
  f("SpaceReclaimed", report.space_reclaimed);
}

}  // namespace skiff::spec::docker
