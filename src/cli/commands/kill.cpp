#include "cli/commands/commands.h"
#include "cli/each.h"

namespace skiff::cli {

namespace {

class KillCommand : public Command {
 public:
  KillCommand() { flags.string(signal_, "signal", 's', "Signal to send to the container"); }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    return for_each_parallel(cli, arguments, [&](client::Client& engine, const std::string& name) {
      return engine.kill_container(name, signal_);
    });
  }

 private:
  std::string signal_;
};

}  // namespace

std::unique_ptr<Command> make_kill() { return make_command<KillCommand>(); }

}  // namespace skiff::cli
