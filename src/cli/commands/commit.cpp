#include "cli/cli.h"
#include "cli/commands/commands.h"
#include "cli/tar_output.h"
#include "spec/reference.h"

/// What a container changed of its image: as an image, as a list, and with the image's files as a tar.
namespace skiff::cli {

namespace {

class CommitCommand : public Command {
 public:
  CommitCommand() {
    flags.string(author_, "author", 'a', "Author (e.g., \"John Hannibal Smith <hannibal@a-team.com>\")");
    flags.list(changes_, "change", 'c', "Apply Dockerfile instruction to the created image");
    flags.string(message_, "message", 'm', "Commit message");
    flags.boolean(pause_, "pause", 'p', "Pause container during commit");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    client::Query query("/commit");
    query.add("container", arguments[0]);
    if (arguments.size() > 1) {
      const auto name = TRY(spec::Reference::parse(arguments[1]));
      if (name.digest())
        return Error(Kind::InvalidArgument, "refusing to create a tag with a digest reference");
      query.add("repo", name.familiar_name()).add("tag", name.with_default_tag().tag());
    }
    query.add_if("comment", message_).add_if("author", author_);
    for (const auto& change : changes_) query.add("changes", change);
    if (!pause_) query.add("pause", "0");
    cli.out.print("{}\n", TRY(TRY(cli.engine())->commit_container(query)));
    return 0;
  }

 private:
  std::string author_, message_;
  std::vector<std::string> changes_;
  bool pause_ = true;
};

class DiffCommand : public Command {
 public:
  Result<int> run(Cli& cli, const Arguments& arguments) override {
    constexpr std::string_view kLetters = "CAD";
    for (const auto& change : TRY(TRY(cli.engine())->changes(arguments[0])))
      if (change.kind >= 0 && change.kind < 3)
        cli.out.print("{} {}\n", kLetters[static_cast<std::size_t>(change.kind)], change.path);
    return 0;
  }
};

class ExportCommand : public Command {
 public:
  ExportCommand() { flags.string(output_, "output", 'o', "Write to a file, instead of STDOUT"); }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    TRY(check_tar_output(cli, output_, "failed to export container"));
    auto stream = TRY(TRY(cli.engine())->export_container(arguments[0]));
    TRY(write_tar_output(stream, output_));
    return 0;
  }

 private:
  std::string output_;
};

}  // namespace

std::unique_ptr<Command> make_commit() { return make_command<CommitCommand>(); }
std::unique_ptr<Command> make_diff() { return make_command<DiffCommand>(); }
std::unique_ptr<Command> make_export() { return make_command<ExportCommand>(); }

}  // namespace skiff::cli
