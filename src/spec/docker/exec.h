#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

/// The Engine API's exec sessions.
namespace skiff::spec::docker {

/// Body of POST /containers/{id}/exec.
struct ExecCreate {
  std::string user;
  bool privileged = false;
  bool tty = false;
  std::vector<std::uint32_t> console_size;  ///< height, width; {} when not given
  bool attach_stdin = false;
  bool attach_stderr = false;
  bool attach_stdout = false;
  bool detach = false;
  std::string detach_keys;
  std::vector<std::string> env;
  std::string working_dir;
  std::vector<std::string> cmd;
};

struct ExecCreated {
  std::string id;
};

/// Body of POST /exec/{id}/start.
struct ExecStart {
  bool detach = false;
  bool tty = false;
  std::vector<std::uint32_t> console_size;
};

struct ExecProcessConfig {
  bool tty = false;
  std::string entrypoint;
  std::vector<std::string> arguments;
  std::optional<bool> privileged;
  std::string user;
};

/// Answer of GET /exec/{id}/json.
struct ExecInspect {
  std::string id;
  bool running = false;
  std::optional<int> exit_code;  ///< null while it runs
  ExecProcessConfig process_config;
  bool open_stdin = false;
  bool open_stderr = false;
  bool open_stdout = false;
  bool can_remove = false;
  std::string container_id;
  std::string detach_keys;  ///< base64 of the key bytes
  int pid = 0;
};

void describe(json::Fields& f, ExecCreate& request);
void describe(json::Fields& f, ExecCreated& answer);
void describe(json::Fields& f, ExecStart& request);
void describe(json::Fields& f, ExecProcessConfig& config);
void describe(json::Fields& f, ExecInspect& exec);

}  // namespace skiff::spec::docker
