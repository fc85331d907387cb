#include "spec/docker/exec.h"

#include "spec/json_shape.h"

namespace skiff::spec::docker {

using json::Omit;

void describe(json::Fields& f, ExecCreate& request) {
  f("User", request.user);
  f("Privileged", request.privileged);
  f("Tty", request.tty);
  f("ConsoleSize", request.console_size, Omit::Empty);
  f("AttachStdin", request.attach_stdin);
  f("AttachStderr", request.attach_stderr);
  f("AttachStdout", request.attach_stdout);
  f("Detach", request.detach, Omit::Empty);
  f("DetachKeys", request.detach_keys);
  null_when_empty(f, "Env", request.env);
  f("WorkingDir", request.working_dir);
  string_or_list(f, "Cmd", request.cmd);
}

void describe(json::Fields& f, ExecCreated& answer) { f("Id", answer.id); }

void describe(json::Fields& f, ExecStart& request) {
  f("Detach", request.detach);
  f("Tty", request.tty);
  f("ConsoleSize", request.console_size, Omit::Empty);
}

void describe(json::Fields& f, ExecProcessConfig& config) {
  f("tty", config.tty);
  f("entrypoint", config.entrypoint);
  f("arguments", config.arguments);
  f("privileged", config.privileged, Omit::Empty);
  f("user", config.user, Omit::Empty);
}

void describe(json::Fields& f, ExecInspect& exec) {
  f("ID", exec.id);
  f("Running", exec.running);
  f("ExitCode", exec.exit_code);
  f("ProcessConfig", exec.process_config);
  f("OpenStdin", exec.open_stdin);
  f("OpenStderr", exec.open_stderr);
  f("OpenStdout", exec.open_stdout);
  f("CanRemove", exec.can_remove);
  f("ContainerID", exec.container_id);
  f("DetachKeys", exec.detach_keys);
  f("Pid", exec.pid);
}

}  // namespace skiff::spec::docker
