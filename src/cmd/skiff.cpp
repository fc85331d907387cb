#include <string>
#include <string_view>
#include <vector>

#include "cli/cli.h"

/// The command line. Called by another name, "docker" for example through a link, it goes by that name in
/// everything it says.
int main(int argc, char** argv) {
  std::string_view program = argc > 0 ? argv[0] : "skiff";
  program = program.substr(program.rfind('/') + 1);
  if (program != "docker") program = "skiff";
  return skiff::cli::run_cli(program, std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
}
