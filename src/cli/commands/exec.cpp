#include "cli/cli.h"
#include "cli/commands/commands.h"
#include "cli/session.h"
#include "cli/specs/values.h"
#include "cli/terminal.h"

namespace skiff::cli {

namespace {

class ExecCommand : public Command {
 public:
  ExecCommand() {
    flags.stop_at_first_argument();
    flags.boolean(request_.detach, "detach", 'd', "Detached mode: run command in the background");
    flags.string(request_.detach_keys, "detach-keys", 0,
                 "Override the key sequence for detaching a container");
    flags.list(env_, "env", 'e', "Set environment variables", check_env);
    flags.list(env_files_, "env-file", 0, "Read in a file of environment variables");
    flags.boolean(interactive_, "interactive", 'i', "Keep STDIN open even if not attached");
    flags.boolean(request_.privileged, "privileged", 0, "Give extended privileges to the command");
    flags.boolean(request_.tty, "tty", 't', "Allocate a pseudo-TTY");
    flags.string(request_.user, "user", 'u', "Username or UID (format: \"<name|uid>[:<group|gid>]\")");
    flags.string(request_.working_dir, "workdir", 'w', "Working directory inside the container");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    request_.cmd.assign(arguments.begin() + 1, arguments.end());
    for (const auto& file : env_files_)
      for (auto& line : TRY(read_variables(file, "env", true))) request_.env.push_back(std::move(line));
    request_.env.insert(request_.env.end(), env_.begin(), env_.end());
    if (request_.detach_keys.empty()) request_.detach_keys = cli.config_value("detachKeys");
    if (!request_.detach) {
      request_.attach_stdout = request_.attach_stderr = true;
      request_.attach_stdin = interactive_;
      TRY(check_terminal(interactive_, request_.tty));
      if (const auto size = terminal_size(); request_.tty && size)
        request_.console_size = {static_cast<std::uint32_t>(size->first),
                                 static_cast<std::uint32_t>(size->second)};
    }
    auto* engine = TRY(cli.engine());
    const std::string id = TRY(engine->create_exec(arguments[0], request_));
    if (request_.detach) {
      TRY(engine->start_exec_detached(id));
      return 0;
    }
    return run_attached(*engine, id);
  }

 private:
  Result<int> run_attached(client::Client& engine, const std::string& id) {
    spec::docker::ExecStart start;
    start.tty = request_.tty;
    start.console_size = request_.console_size;
    auto attached = TRY(engine.start_exec(id, start));
    SessionOptions session;
    session.tty = request_.tty;
    session.input = interactive_;
    session.detach_keys = request_.detach_keys;
    session.resize = [&](int rows, int columns) { (void)engine.resize_exec(id, rows, columns); };
    TRY(run_session(std::move(attached), session));  // detached is an error here, as Docker has it
    return TRY(engine.inspect_exec(id)).exit_code.value_or(0);
  }

  spec::docker::ExecCreate request_;
  std::vector<std::string> env_;
  std::vector<std::string> env_files_;
  bool interactive_ = false;
};

}  // namespace

std::unique_ptr<Command> make_exec() { return make_command<ExecCommand>(); }

}  // namespace skiff::cli
