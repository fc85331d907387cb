#include <unistd.h>

#include <cerrno>

#include "cli/cli.h"
#include "cli/commands/resource_entries.h"
#include "sys/path.h"

namespace skiff::cli {

namespace {

/// The program in the folder of the running one.
Result<std::string> program_beside(std::string_view name) {
  char own[4096];
  const ssize_t size = ::readlink("/proc/self/exe", own, sizeof own);
  if (size < 0) return fail_errno("readlink /proc/self/exe");
  const std::string_view path(own, static_cast<std::size_t>(size));
  return sys::join_path(sys::dir_name(path), name);
}

/// The server is a program of its own (docs/decisions/0022): this one becomes it, and it reads the flags.
class RegistryServe final : public Command {
 public:
  RegistryServe() { flags.pass_everything(); }

  Result<int> run(Cli&, const Arguments& arguments) override {
    std::string program = TRY(program_beside("skiff-registry"));
    std::vector<std::string> words = arguments;
    std::vector<char*> argv{program.data()};
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    ::execv(program.c_str(), argv.data());
    return fail_errno("cannot start {}", program);
  }
};

}  // namespace

std::unique_ptr<Command> make::registry_serve() { return std::make_unique<RegistryServe>(); }

}  // namespace skiff::cli
