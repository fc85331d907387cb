#include "cli/commands/container_rows.h"

#include <algorithm>

#include "base/strings.h"
#include "cli/ports_text.h"
#include "cli/times.h"

namespace skiff::cli {

namespace {

using spec::docker::ContainerSummary;

/// Names of links ("/web/db") are only shown in full output.
std::string names(const ContainerSummary& c, bool truncate) {
  std::vector<std::string> out;
  for (const auto& name : c.names) {
    const std::string plain = name.starts_with('/') ? name.substr(1) : name;
    if (!truncate || plain.find('/') == std::string::npos) out.push_back(plain);
  }
  return join(out, ",");
}

std::string image(const ContainerSummary& c, bool truncate) {
  if (c.image.empty()) return "<no image>";
  if (!truncate) return c.image;
  if (c.image == c.image_id && c.image.starts_with("sha256:")) return c.image.substr(7, 12);
  if (c.image.starts_with("sha256:")) return c.image.substr(7, 12);
  const auto digest = c.image.find('@');
  if (digest == std::string::npos) return c.image;
  return c.image.substr(0, digest);
}

std::string size_text(const ContainerSummary& c) {
  const std::string size = human_size(static_cast<double>(c.size_rw), 3);
  if (c.size_root_fs <= 0) return size;
  return fmt::format("{} (virtual {})", size, human_size(static_cast<double>(c.size_root_fs), 3));
}

std::string mounts(const ContainerSummary& c, bool truncate) {
  std::vector<std::string> out;
  for (const auto& mount : c.mounts) {
    const std::string& name = mount.name.empty() ? mount.source : mount.name;
    out.push_back(truncate ? ellipsis(name, 15) : name);
  }
  return join(out, ",");
}

std::string networks(const ContainerSummary& c) {
  std::vector<std::string> out;
  for (const auto& [name, endpoint] : c.network_settings.networks) out.push_back(name);
  return join(out, ",");
}

}  // namespace

Columns container_columns() {
  return {{"ID", "CONTAINER ID"},      {"Image", "IMAGE"},        {"Command", "COMMAND"},
          {"CreatedAt", "CREATED AT"}, {"RunningFor", "CREATED"}, {"Status", "STATUS"},
          {"Ports", "PORTS"},          {"Names", "NAMES"},        {"Size", "SIZE"},
          {"Labels", "LABELS"},        {"Mounts", "MOUNTS"},      {"LocalVolumes", "LOCAL VOLUMES"},
          {"Networks", "NETWORKS"},    {"State", "STATE"},        {"Platform", "PLATFORM"}};
}

Row container_row(const ContainerSummary& c, bool truncate) {
  Row row;
  row.labels = c.labels;
  auto& f = row.fields;
  f.reserve(16);
  f["ID"] = truncate ? c.id.substr(0, 12) : c.id;
  f["Names"] = names(c, truncate);
  f["Image"] = image(c, truncate);
  f["Command"] = quote(truncate ? ellipsis(c.command, 20) : c.command);
  f["CreatedAt"] = go_time(c.created);
  f["RunningFor"] = ago(c.created);
  f["Ports"] = ports_text(c.ports);
  f["State"] = c.state;
  f["Status"] = c.status;
  f["Size"] = size_text(c);
  f["Labels"] = label_text(c.labels);
  f["Mounts"] = mounts(c, truncate);
  f["LocalVolumes"] = std::to_string(
      std::count_if(c.mounts.begin(), c.mounts.end(), [](const auto& m) { return m.driver == "local"; }));
  f["Networks"] = networks(c);
  f["Platform"] = nullptr;
  return row;
}

}  // namespace skiff::cli
