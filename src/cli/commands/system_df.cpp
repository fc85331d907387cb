#include <algorithm>

#include "base/strings.h"
#include "cli/commands/image_rows.h"
#include "cli/commands/resource_entries.h"
#include "cli/commands/resource_support.h"

namespace skiff::cli {

namespace {

std::string size_text(std::int64_t bytes) { return human_size(static_cast<double>(bytes)); }

/// "1.2MB (50%)"; no share when there is no whole.
std::string share_text(std::int64_t part, std::int64_t whole) {
  if (whole <= 0) return size_text(part);
  return fmt::format("{} ({}%)", size_text(part), part * 100 / whole);
}

Row summary_row(std::string_view type, std::size_t total, std::size_t active, std::int64_t size,
                std::string reclaimable) {
  Row row;
  row.fields = {{"Active", std::to_string(active)},
                {"Reclaimable", std::move(reclaimable)},
                {"Size", size_text(size)},
                {"TotalCount", std::to_string(total)},
                {"Type", type}};
  return row;
}

Row images_summary(const docker::DiskUsage& usage) {
  std::size_t count = 0;
  std::size_t active = 0;
  std::int64_t used = 0;
  const std::int64_t total = usage.layers_size.value_or(0);
  if (usage.images) {
    count = usage.images->size();
    for (const auto& image : *usage.images) {
      if (image.containers == 0) continue;
      if (image.containers > 0) ++active;
      if (image.size != -1 && image.shared_size != -1) used += image.size - image.shared_size;
    }
  }
  return summary_row("Images", count, active, total, share_text(total - used, total));
}

Row containers_summary(const docker::DiskUsage& usage) {
  std::size_t count = 0;
  std::size_t active = 0;
  std::int64_t total = 0;
  std::int64_t free = 0;
  if (usage.containers) {
    count = usage.containers->size();
    for (const auto& container : *usage.containers) {
      const bool lives =
          container.state == "running" || container.state == "paused" || container.state == "restarting";
      total += container.size_rw;
      if (lives)
        ++active;
      else
        free += container.size_rw;
    }
  }
  return summary_row("Containers", count, active, total, share_text(free, total));
}

Row volumes_summary(const docker::DiskUsage& usage) {
  std::size_t count = 0;
  std::size_t active = 0;
  std::int64_t total = 0;
  std::int64_t free = 0;
  if (usage.volumes) {
    count = usage.volumes->size();
    for (const auto& volume : *usage.volumes) {
      if (!volume.usage_data) continue;
      if (volume.usage_data->ref_count > 0) ++active;
      if (volume.usage_data->size == -1) continue;
      total += volume.usage_data->size;
      if (volume.usage_data->ref_count == 0) free += volume.usage_data->size;
    }
  }
  return summary_row("Local Volumes", count, active, total, share_text(free, total));
}

std::int64_t cache_size(const docker::DiskUsage& usage, bool only_in_use) {
  std::int64_t total = 0;
  if (usage.build_cache)
    for (const auto& record : *usage.build_cache)
      if (!record.shared && (!only_in_use || record.in_use)) total += record.size;
  return total;
}

Row cache_summary(const docker::DiskUsage& usage) {
  std::size_t count = 0;
  std::size_t active = 0;
  if (usage.build_cache) {
    count = usage.build_cache->size();
    for (const auto& record : *usage.build_cache)
      if (record.in_use) ++active;
  }
  const std::int64_t total = cache_size(usage, false);
  return summary_row("Build Cache", count, active, total, size_text(total - cache_size(usage, true)));
}

Result<std::string> image_details(const docker::DiskUsage& usage) {
  ListFormat format;
  format.text =
      "table "
      "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{"
      "."
      "Containers}}";
  format.go_type = "*formatter.imageContext";
  format.columns = image_columns();
  std::vector<Row> rows;
  if (usage.images)
    for (const auto& image : *usage.images) {
      std::string_view repository = "<none>";
      std::string_view tag = "<none>";
      if (!image.repo_tags.empty()) {
        const std::string_view name = image.repo_tags[0];
        const auto colon = name.rfind(':');
        repository = name.substr(0, colon);
        if (colon != std::string_view::npos) tag = name.substr(colon + 1);
      }
      rows.push_back(image_row(image, repository, tag, "", true));
    }
  return format_list(format, rows);
}

Result<std::string> container_details(const docker::DiskUsage& usage) {
  ListFormat format;
  format.text =
      "table "
      "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{."
      "Names}}";
  format.go_type = "*formatter.ContainerContext";
  format.columns = {{"ID", "CONTAINER ID"}, {"Image", "IMAGE"},
                    {"Command", "COMMAND"}, {"LocalVolumes", "LOCAL VOLUMES"},
                    {"Size", "SIZE"},       {"RunningFor", "CREATED"},
                    {"Status", "STATUS"},   {"Names", "NAMES"}};
  std::vector<Row> rows;
  if (usage.containers)
    for (const auto& container : *usage.containers) {
      std::vector<std::string> names;
      for (const auto& name : container.names)
        if (name.find('/', 1) == std::string::npos)
          names.push_back(name.substr(name.starts_with('/') ? 1 : 0));
      const auto volumes = std::count_if(container.mounts.begin(), container.mounts.end(),
                                         [](const auto& mount) { return mount.driver == "local"; });
      std::string image = container.image.empty() ? "<no image>" : container.image;
      if (image == container.image_id || image.starts_with("sha256:")) image = short_id(image);
      Row& row = rows.emplace_back();
      row.fields = {{"ID", short_id(container.id)},
                    {"Image", image},
                    {"Command", quote(ellipsis(container.command, 20))},
                    {"LocalVolumes", std::to_string(volumes)},
                    {"Size", size_text(container.size_rw)},
                    {"RunningFor", time_ago(from_unix(container.created))},
                    {"Status", container.status},
                    {"Names", join(names, ",")}};
    }
  return format_list(format, rows);
}

Result<std::string> volume_details(const docker::DiskUsage& usage) {
  ListFormat format;
  format.text = "table {{.Name}}\t{{.Links}}\t{{.Size}}";
  format.go_type = "*formatter.volumeContext";
  format.columns = {{"Name", "VOLUME NAME"}, {"Links", "LINKS"}, {"Size", "SIZE"}};
  std::vector<Row> rows;
  if (usage.volumes)
    for (const auto& volume : *usage.volumes) {
      const auto& data = volume.usage_data;
      rows.emplace_back().fields = {{"Name", volume.name},
                                    {"Links", data ? std::to_string(data->ref_count) : "N/A"},
                                    {"Size", data ? size_text(data->size) : "N/A"}};
    }
  return format_list(format, rows);
}

Result<std::string> cache_details(const docker::DiskUsage& usage) {
  ListFormat format;
  format.text =
      "table "
      "{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t{{.Shared}"
      "}";
  format.go_type = "*formatter.buildCacheContext";
  format.columns = {{"ID", "CACHE ID"},          {"CacheType", "CACHE TYPE"},    {"Size", "SIZE"},
                    {"CreatedSince", "CREATED"}, {"LastUsedSince", "LAST USED"}, {"UsageCount", "USAGE"},
                    {"Shared", "SHARED"}};
  std::vector<Row> rows;
  if (usage.build_cache)
    for (const auto& record : *usage.build_cache)
      rows.emplace_back().fields = {
          {"ID", short_id(record.id)},
          {"CacheType", record.type},
          {"Size", size_text(record.size)},
          {"CreatedSince", time_ago(record.created_at)},
          {"LastUsedSince", record.last_used_at ? time_ago(*record.last_used_at) : ""},
          {"UsageCount", std::to_string(record.usage_count)},
          {"Shared", record.shared ? "true" : "false"}};
  return format_list(format, rows);
}

class SystemDf : public Command {
 public:
  SystemDf() {
    flags.string(format_, "format", 0, kTableFormatUsage);
    flags.boolean(verbose_, "verbose", 'v', "Show detailed information on space usage");
  }

  Result<int> run(Cli& cli, const Arguments&) override {
    const auto usage = TRY(TRY(cli.engine())->disk_usage());
    if (verbose_) {
      cli.out.print("Images space usage:\n\n{}", TRY(image_details(usage)));
      cli.out.print("\nContainers space usage:\n\n{}", TRY(container_details(usage)));
      cli.out.print("\nLocal Volumes space usage:\n\n{}", TRY(volume_details(usage)));
      cli.out.print("\nBuild cache usage: {}\n\n{}", size_text(cache_size(usage, false)),
                    TRY(cache_details(usage)));
      return 0;
    }
    ListFormat format;
    format.text = choose_format(cli, format_, "", false, "");
    format.default_table = "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}";
    format.go_type = "*formatter.diskUsageImagesContext";
    format.columns = {{"Active", "ACTIVE"},
                      {"Reclaimable", "RECLAIMABLE"},
                      {"Size", "SIZE"},
                      {"TotalCount", "TOTAL"},
                      {"Type", "TYPE"}};
    return print_list(
        cli, format,
        {images_summary(usage), containers_summary(usage), volumes_summary(usage), cache_summary(usage)});
  }

 private:
  std::string format_;
  bool verbose_ = false;
};

}  // namespace

namespace make {
std::unique_ptr<Command> system_df() { return std::make_unique<SystemDf>(); }
}  // namespace make

}  // namespace skiff::cli
