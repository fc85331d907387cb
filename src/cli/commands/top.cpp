#include "base/strings.h"
#include "cli/cli.h"
#include "cli/commands/commands.h"
#include "cli/table.h"

namespace skiff::cli {

namespace {

class TopCommand : public Command {
 public:
  TopCommand() { flags.stop_at_first_argument(); }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    auto* engine = TRY(cli.engine());
    const auto answer = TRY(engine->top(arguments[0], Arguments(arguments.begin() + 1, arguments.end())));
    std::string text = join(answer.titles, "\t") + "\n";
    for (const auto& process : answer.processes) text += join(process, "\t") + "\n";
    cli.out.write(align_columns(text, 20));
    return 0;
  }
};

}  // namespace

std::unique_ptr<Command> make_top() { return make_command<TopCommand>(); }

}  // namespace skiff::cli
