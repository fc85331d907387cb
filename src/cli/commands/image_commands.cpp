#include "base/json.h"
#include "base/strings.h"
#include "cli/commands/image_progress.h"
#include "cli/commands/resource_entries.h"
#include "cli/commands/resource_support.h"
#include "cli/each.h"
#include "spec/platform.h"
#include "spec/reference.h"

namespace skiff::cli {

namespace {

class ImageRm : public Command {
 public:
  ImageRm() {
    flags.boolean(force_, "force", 'f', "Force removal of the image");
    flags.boolean(no_prune_, "no-prune", 0, "Do not delete untagged parents");
    flags.strings(platforms_, "platform", 0,
                  "Remove only the given platform variant. Formatted as \"os[/arch[/variant]]\" (e.g., "
                  "\"linux/amd64\")");
  }

  Result<int> run(Cli& cli, const Arguments& names) override {
    std::vector<std::string> platforms;
    for (const auto& platform : platforms_)
      platforms.push_back(json::encode(TRY(spec::Platform::parse(platform))));
    client::Client& engine = *TRY(cli.engine());
    std::vector<std::string> errors;
    bool fatal = false;
    for (const auto& name : names) {
      auto removed = engine.remove_image(name, force_, !no_prune_, platforms);
      if (!removed.ok()) {
        fatal |= removed.error().kind() != Kind::NotFound;
        errors.push_back(removed.error().message());
        continue;
      }
      for (const auto& item : *removed) {
        if (!item.deleted.empty())
          cli.out.print("Deleted: {}\n", item.deleted);
        else
          cli.out.print("Untagged: {}\n", item.untagged);
      }
    }
    if (errors.empty()) return 0;
    cli.err.write(join(errors, "\n") + "\n");
    return force_ && !fatal ? 0 : 1;
  }

 private:
  bool force_ = false, no_prune_ = false;
  std::vector<std::string> platforms_;
};

class ImageTag : public Command {
 public:
  Result<int> run(Cli& cli, const Arguments& arguments) override {
    (void)TRY(parse(arguments[0]));
    const auto target = TRY(parse(arguments[1]));
    if (target.digest())
      return Error(Kind::InvalidArgument, "refusing to create a tag with a digest reference");
    TRY(TRY(cli.engine())
            ->tag_image(arguments[0], target.familiar_name(),
                        target.tag().empty() ? "latest" : target.tag()));
    return 0;
  }

 private:
  static Result<spec::Reference> parse(const std::string& text) {
    return TRY_CONTEXT(spec::Reference::parse(text),
                       "Error parsing reference: {} is not a valid repository/tag", quote(text));
  }
};

class ImagePin : public Command {
 public:
  explicit ImagePin(bool pinned) : pinned_(pinned) {}

  Result<int> run(Cli& cli, const Arguments& names) override {
    return for_each(cli, names, [&](client::Client& engine, const std::string& name) -> Result<std::string> {
      TRY(engine.pin_image(name, pinned_));
      return name;
    });
  }

 private:
  bool pinned_;
};

class ImageInspect : public Command {
 public:
  ImageInspect() {
    flags.string(format_, "format", 'f', kFormatUsage);
    flags.string(
        platform_, "platform", 0,
        "Inspect a specific platform of the multi-platform image.\n"
        "If the image or the server is not multi-platform capable, the command will error out if the "
        "platform does not match.\n"
        "'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)");
  }

  Result<int> run(Cli& cli, const Arguments& names) override {
    const auto platform = TRY(platform_parameter(platform_));
    return inspect_objects(cli, names, format_, [&](client::Client& engine, const std::string& name) {
      return engine.inspect_image(name, platform);
    });
  }

 private:
  std::string format_, platform_;
};

class ImagePrune : public Command {
 public:
  ImagePrune() {
    flags.boolean(all_, "all", 'a', "Remove all unused images, not just dangling ones");
    add_filter_flag(flags, filters_, 0, "Provide filter values (e.g. \"until=<timestamp>\")");
    flags.boolean(force_, "force", 'f', "Do not prompt for confirmation");
  }

  Result<int> run(Cli& cli, const Arguments&) override {
    const std::string question = fmt::format(
        "WARNING! This will remove {}.\nAre you sure you want to continue? [y/N] ",
        all_ ? "all images without at least one container associated to them" : "all dangling images");
    if (!force_ && !confirm(cli, question)) return 0;
    filters_["dangling"].emplace_back(all_ ? "false" : "true");
    const auto pruned = list_deleted_images(TRY(TRY(cli.engine())->prune_images(filters_)));
    if (!pruned.text.empty()) cli.out.write(pruned.text + "\n");
    cli.out.print("Total reclaimed space: {}\n", human_size(static_cast<double>(pruned.reclaimed)));
    return 0;
  }

 private:
  client::Filters filters_;
  bool all_ = false, force_ = false;
};

class ImageBootstrap : public Command {
 public:
  ImageBootstrap() {
    flags.string(mirror_, "mirror", 0, "Package mirror to take packages from (default: the host's)");
    flags.boolean(no_cache_, "no-cache", 0, "Make the image even when the same input was built before");
    flags.boolean(quiet_, "quiet", 'q', "Suppress the progress lines");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    client::Query query("/skiff/images/bootstrap");
    query.add("reference", arguments[0]).add_if("mirror", mirror_).flag("nocache", no_cache_);
    auto stream = TRY(TRY(cli.engine())->bootstrap(query));
    const auto write = [&](std::string_view text) {
      if (quiet_) return;
      cli.out.write(text);
      cli.out.flush();
    };
    ProgressLines lines(write, cli.out.is_terminal());
    const auto end = TRY(read_progress(stream, lines, write));
    if (end.error.empty()) return 0;
    cli.err.write(end.error + "\n");
    return end.code;
  }

 private:
  std::string mirror_;
  bool no_cache_ = false, quiet_ = false;
};

}  // namespace

namespace make {
std::unique_ptr<Command> image_rm() { return std::make_unique<ImageRm>(); }
std::unique_ptr<Command> image_pin() { return std::make_unique<ImagePin>(true); }
std::unique_ptr<Command> image_unpin() { return std::make_unique<ImagePin>(false); }
std::unique_ptr<Command> image_tag() { return std::make_unique<ImageTag>(); }
std::unique_ptr<Command> image_inspect() { return std::make_unique<ImageInspect>(); }
std::unique_ptr<Command> image_prune() { return std::make_unique<ImagePrune>(); }
std::unique_ptr<Command> image_bootstrap() { return std::make_unique<ImageBootstrap>(); }
}  // namespace make

}  // namespace skiff::cli
