#include "cli/commands/run.h"

#include <poll.h>

#include "cli/commands/commands.h"
#include "cli/session.h"
#include "cli/terminal.h"

namespace skiff::cli {

namespace {

constexpr int kRemovalPatience = 10'000;  // ms that --rm may take after a start that failed

}  // namespace

RunCommand::RunCommand() {
  options_.add_to(flags);
  flags.boolean(detach_, "detach", 'd', "Run container in background and print container ID");
  flags.string(detach_keys_, "detach-keys", 0, "Override the key sequence for detaching a container");
  flags.string(options_.pull, "pull", 0,
               "Pull image before running (\"always\", \"missing\", \"never\", \"lazy\")");
  flags.boolean(sig_proxy_, "sig-proxy", 0, "Proxy received signals to the process");
}

Result<int> read_exit_code(client::Stream& wait) {
  const auto answer = TRY(wait.next_json());
  if (!answer) return Error(Kind::Unavailable, "error waiting for container: unexpected EOF");
  const auto result = TRY(json::from_value<spec::docker::WaitResponse>(*answer));
  if (result.error && !result.error->message.empty())
    return fail(Kind::Internal, "error waiting for container: {}", result.error->message);
  return static_cast<int>(result.status_code);
}

Result<int> RunCommand::run(Cli& cli, const Arguments& arguments) {
  auto built = options_.build(flags, arguments);
  if (!built.ok()) return report_run_error(cli, "run", built.error());
  auto& request = *built;
  if (detach_) {
    if (!options_.attach.empty())
      return Error(Kind::InvalidArgument, "conflicting options: cannot specify both --attach and --detach");
    request.config.attach_stdin = request.config.attach_stdout = request.config.attach_stderr = false;
    request.config.stdin_once = false;
  } else {
    TRY(check_terminal(request.config.attach_stdin, request.config.tty));
  }
  if (request.config.tty)
    if (const auto size = terminal_size())
      request.host_config.console_size = {static_cast<std::uint32_t>(size->first),
                                          static_cast<std::uint32_t>(size->second)};
  if (detach_keys_.empty()) detach_keys_ = cli.config_value("detachKeys");
  if (!detach_ && sig_proxy_) hold_signals();

  auto id = create_container(cli, options_, request);
  if (!id.ok()) return report_run_error(cli, "run", id.error());
  if (!detach_) return run_attached(cli, request, *id);

  cli.out.print("{}\n", *id);
  auto* engine = TRY(cli.engine());
  if (auto started = engine->start_container(*id, detach_keys_); !started.ok()) {
    report_run_error(cli, "run", started.error());
    return start_error_code(started.error());
  }
  return 0;
}

/// The order is what makes it sound: attached before the start nothing of the output is missed, and waiting
/// before the start the end cannot be missed either.
Result<int> RunCommand::run_attached(Cli& cli, const spec::docker::ContainerCreate& request,
                                     const std::string& id) {
  auto* engine = TRY(cli.engine());
  const auto& config = request.config;
  std::optional<client::Hijacked> attached;
  if (config.attach_stdin || config.attach_stdout || config.attach_stderr) {
    auto made = engine->attach(id, {.stdin_stream = config.attach_stdin,
                                    .stdout_stream = config.attach_stdout,
                                    .stderr_stream = config.attach_stderr,
                                    .logs = false,
                                    .detach_keys = detach_keys_});
    if (!made.ok()) return report_run_error(cli, "run", made.error());
    attached = *std::move(made);
  }
  auto wait = engine->wait(id, options_.auto_remove ? "removed" : "next-exit");
  if (!wait.ok()) return report_run_error(cli, "run", wait.error());
  if (auto started = engine->start_container(id, detach_keys_); !started.ok()) {
    report_run_error(cli, "run", started.error());
    if (options_.auto_remove) {
      pollfd removed{wait->socket(), POLLIN, 0};
      ::poll(&removed, 1, kRemovalPatience);
    }
    return start_error_code(started.error());
  }
  if (!attached) {
    cli.out.print("{}\n", id);
    cli.out.flush();
  } else {
    SessionOptions session;
    session.tty = config.tty;
    session.input = config.attach_stdin;
    session.detach_keys = detach_keys_;
    if (sig_proxy_)
      session.forward = [&](std::string_view signal) { (void)engine->kill_container(id, signal); };
    session.resize = [&](int rows, int columns) { (void)engine->resize_container(id, rows, columns); };
    if (auto ended = run_session(*std::move(attached), session); !ended.ok()) {
      if (is_detached(ended.error())) return 0;
      cli.err.print("{}\n", ended.error().message());
      return 125;
    }
  }
  auto code = read_exit_code(*wait);
  if (code.ok()) return *code;
  cli.err.print("{}\n", code.error().message());
  return 125;
}

std::unique_ptr<Command> make_run() { return make_command<RunCommand>(); }

}  // namespace skiff::cli
