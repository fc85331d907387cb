#include "base/strings.h"
#include "cli/cli.h"
#include "cli/commands/commands.h"

namespace skiff::cli {

namespace {

class RenameCommand : public Command {
 public:
  Result<int> run(Cli& cli, const Arguments& arguments) override {
    if (trim(arguments[0]).empty() || trim(arguments[1]).empty())
      return Error(Kind::InvalidArgument, "Error: Neither old nor new names may be empty");
    auto* engine = TRY(cli.engine());
    auto renamed = engine->rename_container(arguments[0], arguments[1]);
    if (renamed.ok()) return 0;
    cli.report(renamed.error());
    return fail(renamed.error().kind(), "Error: failed to rename container named {}", arguments[0]);
  }
};

}  // namespace

std::unique_ptr<Command> make_rename() { return make_command<RenameCommand>(); }

}  // namespace skiff::cli
