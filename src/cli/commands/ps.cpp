#include <algorithm>

#include "base/strings.h"
#include "cli/commands/commands.h"
#include "cli/commands/resource_support.h"
#include "cli/each.h"
#include "cli/ports_text.h"
#include "cli/specs/values.h"
#include "cli/table.h"
#include "cli/times.h"

namespace skiff::cli {

namespace {

using spec::docker::ContainerSummary;

const Columns kColumns = {
    {"ID", "CONTAINER ID"},      {"Image", "IMAGE"},        {"Command", "COMMAND"},
    {"CreatedAt", "CREATED AT"}, {"RunningFor", "CREATED"}, {"Status", "STATUS"},
    {"Ports", "PORTS"},          {"Names", "NAMES"},        {"Size", "SIZE"},
    {"Labels", "LABELS"},        {"Mounts", "MOUNTS"},      {"LocalVolumes", "LOCAL VOLUMES"},
    {"Networks", "NETWORKS"},    {"State", "STATE"},        {"Platform", "PLATFORM"}};

class PsCommand : public Command {
 public:
  PsCommand() {
    flags.boolean(all_, "all", 'a', "Show all containers (default shows just running)");
    flags.list(filters_, "filter", 'f', "Filter output based on conditions provided", check_filter).type =
        "filter";
    flags.string(format_, "format", 0, kTableFormatUsage);
    flags.integer(last_, "last", 'n', "Show n last created containers (includes all states)");
    flags.boolean(latest_, "latest", 'l', "Show the latest created container (includes all states)");
    flags.boolean(no_trunc_, "no-trunc", 0, "Don't truncate output");
    flags.boolean(quiet_, "quiet", 'q', "Only display container IDs");
    flags.boolean(size_, "size", 's', "Display total file sizes");
  }

  Result<int> run(Cli& cli, const Arguments&) override {
    if (latest_ && last_ < 0) last_ = 1;
    if (format_.empty() && !quiet_) format_ = cli.config_value("psFormat");
    ListFormat format;
    format.default_table =
        "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}";
    if (size_) format.default_table += "\t{{.Size}}";
    format.text = format_.empty() ? "table" : format_;
    format.go_type = "*formatter.ContainerContext";
    format.columns = kColumns;
    if (quiet_ && (format_.empty() || format_ == "table")) format.text = "{{.ID}}";
    const bool wants_size = size_ || format.text.find(".Size") != std::string::npos;

    auto* engine = TRY(cli.engine());
    const auto containers =
        TRY(engine->containers(all_, static_cast<int>(last_), wants_size, to_filters(filters_)));
    std::vector<Row> rows;
    rows.reserve(containers.size());
    for (const auto& container : containers) rows.push_back(row(container));
    // A format that names what there is not is wrong for an empty list too.
    if (rows.empty()) (void)TRY(format_list(format, {row({})}));
    cli.out.write(TRY(format_list(format, rows)));
    return 0;
  }

 private:
  Row row(const ContainerSummary& c) const {
    Row row;
    row.labels = c.labels;
    auto& f = row.fields;
    f.reserve(16);
    f["ID"] = no_trunc_ ? c.id : c.id.substr(0, 12);
    f["Names"] = names(c);
    f["Image"] = image(c);
    f["Command"] = quote(no_trunc_ ? c.command : ellipsis(c.command, 20));
    f["CreatedAt"] = go_time(c.created);
    f["RunningFor"] = ago(c.created);
    f["Ports"] = ports_text(c.ports);
    f["State"] = c.state;
    f["Status"] = c.status;
    f["Size"] = size_text(c);
    f["Labels"] = label_text(c.labels);
    f["Mounts"] = mounts(c);
    f["LocalVolumes"] = std::to_string(
        std::count_if(c.mounts.begin(), c.mounts.end(), [](const auto& m) { return m.driver == "local"; }));
    f["Networks"] = networks(c);
    f["Platform"] = nullptr;
    return row;
  }

  /// Names of links ("/web/db") are only shown in full output.
  std::string names(const ContainerSummary& c) const {
    std::vector<std::string> out;
    for (const auto& name : c.names) {
      const std::string plain = name.starts_with('/') ? name.substr(1) : name;
      if (no_trunc_ || plain.find('/') == std::string::npos) out.push_back(plain);
    }
    return join(out, ",");
  }

  std::string image(const ContainerSummary& c) const {
    if (c.image.empty()) return "<no image>";
    if (no_trunc_) return c.image;
    if (c.image == c.image_id && c.image.starts_with("sha256:")) return c.image.substr(7, 12);
    if (c.image.starts_with("sha256:")) return c.image.substr(7, 12);
    const auto digest = c.image.find('@');
    if (digest == std::string::npos) return c.image;
    return c.image.substr(0, digest);
  }

  static std::string size_text(const ContainerSummary& c) {
    const std::string size = human_size(static_cast<double>(c.size_rw), 3);
    if (c.size_root_fs <= 0) return size;
    return fmt::format("{} (virtual {})", size, human_size(static_cast<double>(c.size_root_fs), 3));
  }

  std::string mounts(const ContainerSummary& c) const {
    std::vector<std::string> out;
    for (const auto& mount : c.mounts) {
      const std::string& name = mount.name.empty() ? mount.source : mount.name;
      out.push_back(no_trunc_ ? name : ellipsis(name, 15));
    }
    return join(out, ",");
  }

  static std::string networks(const ContainerSummary& c) {
    std::vector<std::string> out;
    for (const auto& [name, endpoint] : c.network_settings.networks) out.push_back(name);
    return join(out, ",");
  }

  bool all_ = false, latest_ = false, no_trunc_ = false, quiet_ = false, size_ = false;
  std::int64_t last_ = -1;
  std::vector<std::string> filters_;
  std::string format_;
};

}  // namespace

std::unique_ptr<Command> make_ps() { return make_command<PsCommand>(); }

}  // namespace skiff::cli
