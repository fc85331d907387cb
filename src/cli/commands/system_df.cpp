#include "base/strings.h"
#include "cli/commands/resource_entries.h"
#include "cli/commands/resource_support.h"
#include "cli/commands/system_df_details.h"

namespace skiff::cli {

namespace {

namespace docker = spec::docker;

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

class SystemDf : public Command {
 public:
  SystemDf() {
    flags.string(format_, "format", 0, kTableFormatUsage);
    flags.boolean(verbose_, "verbose", 'v', "Show detailed information on space usage");
  }

  Result<int> run(Cli& cli, const Arguments&) override {
    const auto usage = TRY(TRY(cli.engine())->disk_usage());
    if (verbose_ && (format_.empty() || format_ == "table")) {
      cli.out.print("Images space usage:\n\n{}", TRY(image_details(usage)));
      cli.out.print("\nContainers space usage:\n\n{}", TRY(container_details(usage)));
      cli.out.print("\nLocal Volumes space usage:\n\n{}", TRY(volume_details(usage)));
      cli.out.print("\nBuild cache usage: {}\n\n{}", size_text(cache_size(usage, false)),
                    TRY(cache_details(usage)));
      return 0;
    }
    if (verbose_) {
      cli.out.write(TRY(formatted_details(usage, format_)));
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
