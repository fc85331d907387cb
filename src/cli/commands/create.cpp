#include <cerrno>

#include "cli/auth/registry_auth.h"
#include "cli/commands/commands.h"
#include "cli/commands/run.h"
#include "cli/progress.h"
#include "spec/platform.h"
#include "spec/reference.h"
#include "sys/file.h"

namespace skiff::cli {

int report_run_error(Cli& cli, std::string_view command, const Error& error) {
  cli.err.print("{0}: {1}\n\nRun '{0} {2} --help' for more information\n", cli.program, error.message(),
                command);
  return 125;
}

int start_error_code(const Error& error) {
  const std::string& text = error.message();
  for (const std::string_view missing : {"executable file not found", "no such file or directory"})
    if (text.find(missing) != std::string::npos) return 127;
  for (const std::string_view refused : {"permission denied", "is a directory", "exec format error"})
    if (text.find(refused) != std::string::npos) return 126;
  return 125;
}

namespace {

Result<void> pull_image(Cli& cli, const ContainerOptions& options, const spec::Reference& reference) {
  const std::string auth = TRY(registry_auth(cli, reference));
  auto stream = TRY(TRY(cli.engine())->pull(reference, options.platform, auth, options.pull == "lazy"));
  return show_progress(stream, cli.err, options.quiet ? ProgressStyle::Quiet : ProgressStyle::Auto);
}

}  // namespace

Result<std::string> create_container(Cli& cli, const ContainerOptions& options,
                                     const spec::docker::ContainerCreate& request) {
  auto* engine = TRY(cli.engine());
  if (options.pull != "always" && options.pull != "missing" && options.pull != "never" &&
      options.pull != "lazy")
    return fail(Kind::InvalidArgument,
                "invalid pull option: '{}': must be one of \"always\", \"missing\", \"never\" or \"lazy\"",
                options.pull);
  if (!options.cid_file.empty() && sys::exists(options.cid_file))
    return fail(Kind::Conflict,
                "container ID file found, make sure the other container isn't running or delete {}",
                options.cid_file);

  const std::string& image = request.config.image;
  std::optional<spec::Reference> reference;
  if (!spec::is_full_id(image)) {
    auto parsed = spec::Reference::parse_tagged(image);
    if (parsed.ok())
      reference = *std::move(parsed);
    else if (!image.starts_with("sha256:"))
      return std::move(parsed).error();
  }
  if (!options.platform.empty())
    TRY_CONTEXT(spec::Platform::parse(options.platform), "error parsing specified platform");
  if (options.pull == "always" && reference) TRY(pull_image(cli, options, *reference));
  auto created = engine->create_container(request, options.name, options.platform);
  const auto says = [&](std::string_view words) {
    return created.error().message().find(words) != std::string::npos;
  };
  const bool missing =
      !created.ok() && created.error().kind() == Kind::NotFound &&
      (says("No such image") || says("was found but does not provide the specified platform"));
  if (missing && reference && (options.pull == "missing" || options.pull == "lazy")) {
    if (!options.quiet) cli.err.print("Unable to find image '{}' locally\n", reference->familiar());
    TRY(pull_image(cli, options, *reference));
    created = engine->create_container(request, options.name, options.platform);
  }
  const auto made = TRY(std::move(created));
  for (const auto& warning : made.warnings) cli.err.print("WARNING: {}\n", warning);
  if (!options.cid_file.empty()) TRY(sys::write_file_atomic(options.cid_file, made.id));
  return made.id;
}

CreateCommand::CreateCommand() {
  options_.add_to(flags);
  flags.string(options_.pull, "pull", 0,
               "Pull image before creating (\"always\", \"|missing\", \"never\", \"lazy\")");
}

Result<int> CreateCommand::run(Cli& cli, const Arguments& arguments) {
  auto request = options_.build(flags, arguments);
  if (!request.ok()) return report_run_error(cli, "create", request.error());
  const std::string id = TRY(create_container(cli, options_, *request));
  cli.out.print("{}\n", id);
  return 0;
}

std::unique_ptr<Command> make_create() { return make_command<CreateCommand>(); }

}  // namespace skiff::cli
