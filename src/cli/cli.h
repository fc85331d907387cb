#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "cli/output.h"
#include "client/client.h"

namespace skiff::cli {

/// Flags that stand before the command.
struct GlobalOptions {
  std::string config_directory;
  std::string context;
  std::vector<std::string> hosts;
  std::string log_level = "info";
  bool debug = false;
  bool version = false;
};

/// What every command works with: the streams, the configuration, the connection to the engine.
class Cli {
 public:
  explicit Cli(std::string program_name);

  const std::string program;  ///< "skiff" or "docker", as it was called
  Output out{1};
  Output err{2, &out};
  GlobalOptions globals;

  /// The engine's client; made at the first call. Nothing is sent yet.
  Result<client::Client*> engine();
  /// A client of the engine at another address than that; ssh's too.
  static Result<std::unique_ptr<client::Client>> engine_at(std::string_view host);
  /// The endpoint's name: "default" or the context's.
  std::string context_name();
  /// A member of the configuration file ("psFormat", "detachKeys"); empty when there is none.
  std::string config_value(std::string_view name);

  /// Prints an error the way commands over several objects do, and remembers it for the exit code.
  void report(const Error& error);
  int exit_code() const { return failed_ ? 1 : 0; }

 private:
  const json::Value& config();

  std::optional<json::Value> config_;
  std::unique_ptr<client::Client> client_;
  bool failed_ = false;
};

/// The whole program: arguments without the program's name; the exit code comes back.
int run_cli(std::string_view program, const std::vector<std::string>& arguments);

/// Columns of the terminal on standard input, 80 when it is none.
int terminal_columns();

/// "y" or "yes" on standard input, after `question`.
bool confirm(Cli& cli, std::string_view question);

}  // namespace skiff::cli
