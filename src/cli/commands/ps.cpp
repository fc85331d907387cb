#include "cli/commands/commands.h"
#include "cli/commands/container_rows.h"
#include "cli/commands/resource_support.h"
#include "cli/each.h"
#include "cli/specs/values.h"
#include "cli/table.h"

namespace skiff::cli {

namespace {

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
    format.columns = container_columns();
    if (quiet_ && (format_.empty() || format_ == "table")) format.text = "{{.ID}}";
    const bool wants_size = size_ || format.text.find(".Size") != std::string::npos;

    auto* engine = TRY(cli.engine());
    const auto containers =
        TRY(engine->containers(all_, static_cast<int>(last_), wants_size, to_filters(filters_)));
    std::vector<Row> rows;
    rows.reserve(containers.size());
    for (const auto& container : containers) rows.push_back(container_row(container, !no_trunc_));
    // A format that names what there is not is wrong for an empty list too.
    if (rows.empty()) (void)TRY(format_list(format, {container_row({}, false)}));
    cli.out.write(TRY(format_list(format, rows)));
    return 0;
  }

 private:
  bool all_ = false, latest_ = false, no_trunc_ = false, quiet_ = false, size_ = false;
  std::int64_t last_ = -1;
  std::vector<std::string> filters_;
  std::string format_;
};

}  // namespace

std::unique_ptr<Command> make_ps() { return make_command<PsCommand>(); }

}  // namespace skiff::cli
