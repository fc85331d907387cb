#pragma once

#include "cli/cli.h"
#include "cli/command.h"
#include "cli/container_options.h"

namespace skiff::cli {

class CreateCommand : public Command {
 public:
  CreateCommand();
  Result<int> run(Cli& cli, const Arguments& arguments) override;

 private:
  ContainerOptions options_;
};

class RunCommand : public Command {
 public:
  RunCommand();
  Result<int> run(Cli& cli, const Arguments& arguments) override;

 private:
  struct Started;
  Result<int> run_attached(Cli& cli, const spec::docker::ContainerCreate& request, const std::string& id);

  ContainerOptions options_;
  bool detach_ = false;
  bool sig_proxy_ = true;
  std::string detach_keys_;
};

/// Creates a container, first pulling its image when that is missing and may be pulled; prints the engine's
/// warnings, keeps the --cidfile.
Result<std::string> create_container(Cli& cli, const ContainerOptions& options,
                                     const spec::docker::ContainerCreate& request);

/// "docker: <error> ... Run 'docker run --help' for more information", and the exit code 125.
int report_run_error(Cli& cli, std::string_view command, const Error& error);
/// 127 for a program that is not there, 126 for one that cannot be executed, else 125.
int start_error_code(const Error& error);

/// The exit code that the answer of a wait brings.
Result<int> read_exit_code(client::Stream& wait);

}  // namespace skiff::cli
