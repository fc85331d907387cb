#include "base/strings.h"
#include "cli/commands/commands.h"
#include "cli/commands/resource_support.h"
#include "cli/each.h"

namespace skiff::cli {

namespace {

class ContainerPruneCommand : public Command {
 public:
  ContainerPruneCommand() {
    add_filter_flag(flags, filters_, 0, "Provide filter values (e.g. \"until=<timestamp>\")");
    flags.boolean(force_, "force", 'f', "Do not prompt for confirmation");
  }

  Result<int> run(Cli& cli, const Arguments&) override {
    const std::string_view question =
        "WARNING! This will remove all stopped containers.\nAre you sure you want to continue? [y/N] ";
    if (!force_ && !confirm(cli, question)) return 0;
    auto* engine = TRY(cli.engine());
    const auto report = TRY(engine->prune_containers(filters_));
    if (!report.containers_deleted.empty())
      cli.out.print("Deleted Containers:\n{}\n\n", join(report.containers_deleted, "\n"));
    cli.out.print("Total reclaimed space: {}\n", human_size(static_cast<double>(report.space_reclaimed)));
    return 0;
  }

 private:
  client::Filters filters_;
  bool force_ = false;
};

}  // namespace

std::unique_ptr<Command> make_container_prune() { return make_command<ContainerPruneCommand>(); }

}  // namespace skiff::cli
