#include <atomic>

#include "base/strings.h"
#include "cli/commands/commands.h"
#include "cli/each.h"

namespace skiff::cli {

namespace {

class RmCommand : public Command {
 public:
  RmCommand() {
    flags.boolean(options_.force, "force", 'f', "Force the removal of a running container (uses SIGKILL)");
    flags.boolean(options_.link, "link", 'l', "Remove the specified link");
    flags.boolean(options_.volumes, "volumes", 'v', "Remove anonymous volumes associated with the container");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    std::atomic<bool> failed = false;
    const int code = TRY(for_each_parallel(
        cli, arguments, [&](client::Client& engine, const std::string& name) -> Result<void> {
          const auto first = name.find_first_not_of('/');
          if (first == std::string::npos)
            return Error(Kind::InvalidArgument, "Container name cannot be empty");
          auto removed = engine.remove_container(name.substr(first), options_);
          // With --force a container that is gone already is what was wanted; it is said, but is no failure.
          if (!removed.ok() && !(options_.force && removed.error().kind() == Kind::NotFound)) failed = true;
          return removed;
        }));
    return failed ? code : 0;
  }

 private:
  client::RemoveOptions options_;
};

}  // namespace

std::unique_ptr<Command> make_rm() { return make_command<RmCommand>(); }

}  // namespace skiff::cli
