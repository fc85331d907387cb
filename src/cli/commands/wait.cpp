#include "cli/commands/commands.h"
#include "cli/commands/run.h"
#include "cli/each.h"

namespace skiff::cli {

namespace {

class WaitCommand : public Command {
 public:
  Result<int> run(Cli& cli, const Arguments& arguments) override {
    return for_each(cli, arguments,
                    [](client::Client& engine, const std::string& name) -> Result<std::string> {
                      auto wait = TRY(engine.wait(name, ""));
                      return std::to_string(TRY(read_exit_code(wait)));
                    });
  }
};

}  // namespace

std::unique_ptr<Command> make_wait() { return make_command<WaitCommand>(); }

}  // namespace skiff::cli
