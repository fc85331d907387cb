#include "cli/commands/attach.h"

#include "cli/commands/commands.h"
#include "cli/commands/run.h"
#include "cli/terminal.h"

namespace skiff::cli {

const json::Value& member(const json::Value& object, std::initializer_list<std::string_view> path) {
  static const json::Value kNull;
  const json::Value* at = &object;
  for (const auto name : path) {
    at = at->is_object() ? at->get_object().if_contains(name) : nullptr;
    if (!at) return kNull;
  }
  return *at;
}

bool truth(const json::Value& object, std::initializer_list<std::string_view> path) {
  const json::Value& value = member(object, path);
  return value.is_bool() && value.get_bool();
}

std::string text(const json::Value& object, std::initializer_list<std::string_view> path) {
  const json::Value& value = member(object, path);
  return value.is_string() ? std::string(value.get_string()) : "";
}

namespace {

class AttachCommand : public Command {
 public:
  AttachCommand() {
    flags.string(detach_keys_, "detach-keys", 0, "Override the key sequence for detaching a container");
    flags.boolean(no_stdin_, "no-stdin", 0, "Do not attach STDIN");
    flags.boolean(sig_proxy_, "sig-proxy", 0, "Proxy all received signals to the process");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    auto* engine = TRY(cli.engine());
    const json::Value container = TRY(engine->inspect_container(arguments[0]));
    if (!truth(container, {"State", "Running"}))
      return Error(Kind::Conflict, "You cannot attach to a stopped container, start it first");
    if (truth(container, {"State", "Paused"}))
      return Error(Kind::Conflict, "You cannot attach to a paused container, unpause it first");
    if (truth(container, {"State", "Restarting"}))
      return Error(Kind::Conflict, "You cannot attach to a restarting container, wait until it is running");
    if (detach_keys_.empty()) detach_keys_ = cli.config_value("detachKeys");

    SessionOptions session;
    session.tty = truth(container, {"Config", "Tty"});
    session.input = !no_stdin_ && truth(container, {"Config", "OpenStdin"});
    session.detach_keys = detach_keys_;
    TRY(check_terminal(!no_stdin_, session.tty));
    const std::string id = text(container, {"Id"});
    if (sig_proxy_ && !session.tty) {
      hold_signals();
      session.forward = [engine, id](std::string_view signal) { (void)engine->kill_container(id, signal); };
    }
    session.resize = [engine, id](int rows, int columns) {
      (void)engine->resize_container(id, rows, columns);
    };
    auto wait = TRY(engine->wait(id, ""));
    auto attached = TRY(engine->attach(id, {.stdin_stream = session.input,
                                            .stdout_stream = true,
                                            .stderr_stream = true,
                                            .logs = false,
                                            .detach_keys = detach_keys_}));
    if (session.tty) repaint(session);
    TRY(run_session(std::move(attached), session));  // detached is an error here, as Docker has it
    return read_exit_code(wait);
  }

 private:
  /// A program redraws its screen when the size changes: first a wrong one, then the right one.
  static void repaint(const SessionOptions& session) {
    const auto size = terminal_size();
    if (!size) return;
    session.resize(size->first + 1, size->second + 1);
    session.resize(size->first, size->second);
  }

  std::string detach_keys_;
  bool no_stdin_ = false;
  bool sig_proxy_ = true;
};

}  // namespace

std::unique_ptr<Command> make_attach() { return make_command<AttachCommand>(); }

}  // namespace skiff::cli
