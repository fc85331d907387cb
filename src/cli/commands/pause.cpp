#include "cli/commands/commands.h"
#include "cli/each.h"

namespace skiff::cli {

namespace {

class PauseLikeCommand : public Command {
 public:
  using Action = Result<void> (client::Client::*)(std::string_view);
  explicit PauseLikeCommand(Action action) : action_(action) {}

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    return for_each_parallel(cli, arguments, [&](client::Client& engine, const std::string& name) {
      return (engine.*action_)(name);
    });
  }

 private:
  Action action_;
};

}  // namespace

std::unique_ptr<Command> make_pause() {
  return std::make_unique<PauseLikeCommand>(&client::Client::pause_container);
}
std::unique_ptr<Command> make_unpause() {
  return std::make_unique<PauseLikeCommand>(&client::Client::unpause_container);
}

}  // namespace skiff::cli
