#include "cli/commands/system_df_details.h"

#include "base/strings.h"
#include "cli/commands/container_rows.h"
#include "cli/commands/image_rows.h"
#include "cli/commands/resource_support.h"
#include "cli/commands/volume_rows.h"
#include "cli/template/template.h"

namespace skiff::cli {

namespace {

using docker::DiskUsage;

constexpr std::string_view kNone = "<none>";

/// An image has one line here, under the first of its names.
std::vector<Row> image_rows(const DiskUsage& usage, bool truncate) {
  std::vector<Row> rows;
  if (!usage.images) return rows;
  for (const auto& image : *usage.images) {
    std::string_view repository = kNone;
    std::string_view tag = kNone;
    if (!image.repo_tags.empty()) {
      const std::string_view name = image.repo_tags[0];
      const auto colon = name.rfind(':');
      repository = name.substr(0, colon);
      if (colon != std::string_view::npos) tag = name.substr(colon + 1);
    }
    rows.push_back(image_row(image, repository, tag, "", truncate));
  }
  return rows;
}

std::vector<Row> container_rows(const DiskUsage& usage, bool truncate) {
  std::vector<Row> rows;
  if (!usage.containers) return rows;
  for (auto container : *usage.containers) {
    container.size_root_fs = 0;  // its image is another line
    rows.push_back(container_row(container, truncate));
  }
  return rows;
}

std::vector<Row> volume_rows(const DiskUsage& usage) {
  std::vector<Row> rows;
  if (!usage.volumes) return rows;
  for (const auto& volume : *usage.volumes) rows.push_back(volume_row(volume));
  return rows;
}

Row cache_row(const docker::BuildCacheRecord& record, bool truncate) {
  Row row;
  row.fields = {{"CacheType", record.type},
                {"CreatedAt", go_time(record.created_at, false)},
                {"CreatedSince", time_ago(record.created_at)},
                {"Description", record.description},
                {"ID", truncate ? short_id(record.id) : record.id},
                {"InUse", record.in_use ? "true" : "false"},
                {"LastUsedAt", record.last_used_at ? go_time(*record.last_used_at, false) : ""},
                {"LastUsedSince", record.last_used_at ? time_ago(*record.last_used_at) : ""},
                {"Parent", record.parent},
                {"Shared", record.shared ? "true" : "false"},
                {"Size", human_size(static_cast<double>(record.size), 3)},
                {"UsageCount", std::to_string(record.usage_count)}};
  return row;
}

std::vector<Row> cache_rows(const DiskUsage& usage, bool truncate) {
  std::vector<Row> rows;
  if (!usage.build_cache) return rows;
  for (const auto& record : *usage.build_cache) rows.push_back(cache_row(record, truncate));
  return rows;
}

json::Array objects(std::vector<Row> rows) {
  json::Array list;
  for (auto& row : rows) list.emplace_back(std::move(row.fields));
  return list;
}

Result<std::string> table(std::string_view text, std::string_view go_type, Columns columns,
                          const std::vector<Row>& rows) {
  ListFormat format;
  format.text = "table " + std::string(text);
  format.go_type = go_type;
  format.columns = std::move(columns);
  return format_list(format, rows);
}

}  // namespace

Result<std::string> image_details(const DiskUsage& usage) {
  return table(
      "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t"
      "{{.Containers}}",
      "*formatter.imageContext", image_columns(), image_rows(usage, true));
}

Result<std::string> container_details(const DiskUsage& usage) {
  return table(
      "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t"
      "{{.Names}}",
      "*formatter.ContainerContext", container_columns(), container_rows(usage, true));
}

Result<std::string> volume_details(const DiskUsage& usage) {
  return table("{{.Name}}\t{{.Links}}\t{{.Size}}", "*formatter.volumeContext",
               {{"Name", "VOLUME NAME"}, {"Links", "LINKS"}, {"Size", "SIZE"}}, volume_rows(usage));
}

Result<std::string> cache_details(const DiskUsage& usage) {
  return table(
      "{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t"
      "{{.Shared}}",
      "*formatter.buildCacheContext",
      {{"ID", "CACHE ID"},
       {"CacheType", "CACHE TYPE"},
       {"Size", "SIZE"},
       {"CreatedSince", "CREATED"},
       {"LastUsedSince", "LAST USED"},
       {"UsageCount", "USAGE"},
       {"Shared", "SHARED"}},
      cache_rows(usage, true));
}

Result<std::string> formatted_details(const DiskUsage& usage, const std::string& format) {
  const json::Value root = json::Object{{"Images", objects(image_rows(usage, false))},
                                        {"Containers", objects(container_rows(usage, false))},
                                        {"Volumes", objects(volume_rows(usage))},
                                        {"BuildCache", objects(cache_rows(usage, false))}};
  if (format == "json") return json::to_text(root) + "\n";
  const auto parsed = Template::parse(unescape_format(format));
  if (!parsed.ok())
    return fail(Kind::InvalidArgument, "template parsing error: {}", parsed.error().message());
  TemplateOptions options;
  options.root_type = "*formatter.diskUsageContext";
  std::string out;
  const auto done = parsed->execute(root, options, out);
  if (!done.ok()) return fail(Kind::InvalidArgument, "template parsing error: {}", done.error().message());
  return out + "\n";
}

}  // namespace skiff::cli
