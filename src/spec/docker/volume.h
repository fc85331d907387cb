#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"

/// The Engine API's volumes.
namespace skiff::spec::docker {

struct VolumeUsage {
  std::int64_t ref_count = -1;  ///< -1: not counted
  std::int64_t size = -1;
};

struct Volume {
  Time created_at{};  ///< shown with whole seconds
  std::string driver = "local";
  std::map<std::string, std::string> labels;
  std::string mountpoint;
  std::string name;
  std::map<std::string, std::string> options;
  std::string scope = "local";
  std::optional<VolumeUsage> usage_data;
};

/// Body of POST /volumes/create.
struct VolumeCreate {
  std::string name;
  std::string driver;
  std::map<std::string, std::string> driver_opts;
  std::map<std::string, std::string> labels;
};

/// Answer of GET /volumes.
struct VolumeList {
  std::vector<Volume> volumes;
  std::vector<std::string> warnings;
};

struct VolumePruneReport {
  std::vector<std::string> volumes_deleted;
  std::uint64_t space_reclaimed = 0;
};

void describe(json::Fields& f, VolumeUsage& usage);
void describe(json::Fields& f, Volume& volume);
void describe(json::Fields& f, VolumeCreate& request);
void describe(json::Fields& f, VolumeList& list);
void describe(json::Fields& f, VolumePruneReport& report);

}  // namespace skiff::spec::docker
