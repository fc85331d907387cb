#include "base/strings.h"
#include "cli/commands/attach.h"
#include "cli/commands/commands.h"
#include "cli/commands/run.h"
#include "cli/terminal.h"

namespace skiff::cli {

namespace {

class StartCommand : public Command {
 public:
  StartCommand() {
    flags.boolean(attach_, "attach", 'a', "Attach STDOUT/STDERR and forward signals");
    flags.string(detach_keys_, "detach-keys", 0, "Override the key sequence for detaching a container");
    flags.boolean(interactive_, "interactive", 'i', "Attach container's STDIN");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    if (detach_keys_.empty()) detach_keys_ = cli.config_value("detachKeys");
    if (!attach_ && !interactive_) return start_all(cli, arguments);
    if (arguments.size() > 1)
      return Error(Kind::InvalidArgument, "you cannot start and attach multiple containers at once");
    return start_attached(cli, arguments[0]);
  }

 private:
  Result<int> start_all(Cli& cli, const Arguments& names) {
    auto* engine = TRY(cli.engine());
    Arguments failed;
    for (const auto& name : names) {
      auto started = engine->start_container(name, detach_keys_);
      if (started.ok()) {
        cli.out.print("{}\n", name);
      } else {
        cli.report(started.error());
        failed.push_back(name);
      }
    }
    if (!failed.empty())
      return fail(Kind::Conflict, "Error: failed to start containers: {}", join(failed, ", "));
    return 0;
  }

  Result<int> start_attached(Cli& cli, const std::string& name) {
    auto* engine = TRY(cli.engine());
    const json::Value container = TRY(engine->inspect_container(name));
    const std::string id = text(container, {"Id"});
    SessionOptions session;
    session.tty = truth(container, {"Config", "Tty"});
    session.input = interactive_ && truth(container, {"Config", "OpenStdin"});
    session.detach_keys = detach_keys_;
    if (!session.tty) {
      hold_signals();
      session.forward = [engine, id](std::string_view signal) { (void)engine->kill_container(id, signal); };
    }
    session.resize = [engine, id](int rows, int columns) {
      (void)engine->resize_container(id, rows, columns);
    };
    auto attached = TRY(engine->attach(id, {.stdin_stream = session.input,
                                            .stdout_stream = true,
                                            .stderr_stream = true,
                                            .logs = false,
                                            .detach_keys = detach_keys_}));
    auto wait =
        TRY(engine->wait(id, truth(container, {"HostConfig", "AutoRemove"}) ? "removed" : "next-exit"));
    TRY(engine->start_container(id, detach_keys_));
    if (const auto size = terminal_size(); session.tty && size) session.resize(size->first, size->second);
    if (auto ended = run_session(std::move(attached), session); !ended.ok()) {
      if (is_detached(ended.error())) return 0;
      return std::move(ended).error();
    }
    return read_exit_code(wait);
  }

  bool attach_ = false;
  bool interactive_ = false;
  std::string detach_keys_;
};

}  // namespace

std::unique_ptr<Command> make_start() { return make_command<StartCommand>(); }

}  // namespace skiff::cli
