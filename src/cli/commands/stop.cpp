#include "cli/commands/commands.h"
#include "cli/each.h"

namespace skiff::cli {

namespace {

/// stop and restart: the same flags, two endpoints.
class StopLikeCommand : public Command {
 public:
  using Action = Result<void> (client::Client::*)(std::string_view, std::string_view,
                                                  std::optional<std::int64_t>);

  explicit StopLikeCommand(Action action) : action_(action) {
    flags.string(signal_, "signal", 's', "Signal to send to the container");
    flags.integer(timeout_, "timeout", 't', "Seconds to wait before killing the container");
    flags.integer(timeout_, "time", 0, "Seconds to wait before killing the container")
        .deprecate("use --timeout instead");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    std::optional<std::int64_t> timeout;
    if (flags.changed("timeout") || flags.changed("time")) timeout = timeout_;
    return for_each_parallel(cli, arguments, [&](client::Client& engine, const std::string& name) {
      return (engine.*action_)(name, signal_, timeout);
    });
  }

 private:
  Action action_;
  std::string signal_;
  std::int64_t timeout_ = 0;
};

}  // namespace

std::unique_ptr<Command> make_stop() {
  return std::make_unique<StopLikeCommand>(&client::Client::stop_container);
}
std::unique_ptr<Command> make_restart() {
  return std::make_unique<StopLikeCommand>(&client::Client::restart_container);
}

}  // namespace skiff::cli
