#include "base/strings.h"
#include "cli/auth/registry_auth.h"
#include "cli/cli.h"
#include "cli/commands/resource_entries.h"
#include "cli/image_copy.h"
#include "cli/progress.h"
#include "spec/platform.h"

namespace skiff::cli {
namespace {

constexpr std::string_view kPlatformNote =
    "\n Info -> Using --platform pushes only the specified platform manifest of a multi-platform image "
    "index.\n"
    "         Other components, like attestations, will not be included.\n"
    "         To push the complete multi-platform image, remove the --platform flag.\n"
    "         \n";

/// What pull and push have in common.
class Transfer : public Command {
 protected:
  /// The name, with a tag unless all are meant.
  Result<spec::Reference> reference_of(Cli& cli, const std::string& text) const {
    auto reference = TRY(spec::Reference::parse(text));
    const bool bare = reference.tag().empty() && !reference.digest();
    if (all_ && !bare) return Error(Kind::InvalidArgument, "tag can't be used with --all-tags/-a");
    if (all_ || !bare) return reference;
    reference = reference.with_default_tag();
    if (!quiet_) {
      cli.out.print("Using default tag: {}\n", reference.tag());
      cli.out.flush();
    }
    return reference;
  }

  /// Also makes the command silent where a program reads it.
  Result<ProgressStyle> style() {
    const auto chosen = TRY(parse_progress_style(progress_));
    if (quiet_) return ProgressStyle::Quiet;
    quiet_ = chosen == ProgressStyle::Json || chosen == ProgressStyle::Quiet;
    return chosen;
  }

  std::string platform_, progress_ = "auto";
  bool all_ = false, quiet_ = false, no_trust_ = true;
};

class Pull : public Transfer {
 public:
  Pull() {
    flags.boolean(all_, "all-tags", 'a', "Download all tagged images in the repository");
    flags.boolean(no_trust_, "disable-content-trust", 0, "Skip image verification");
    flags.boolean(lazy_, "lazy", 0, "Let containers start before all layers are here, where layers allow it");
    flags.string(platform_, "platform", 0, "Set platform if server is multi-platform capable");
    add_progress_flag(flags, progress_);
    flags.boolean(quiet_, "quiet", 'q', "Suppress verbose output");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    const auto shown = TRY(style());
    const auto reference = TRY(reference_of(cli, arguments[0]));
    auto stream =
        TRY(TRY(cli.engine())->pull(reference, platform_, TRY(registry_auth(cli, reference)), lazy_));
    TRY(show_progress(stream, cli.out, shown));
    if (shown != ProgressStyle::Json) cli.out.print("{}\n", reference.to_string());
    return 0;
  }

 private:
  bool lazy_ = false;
};

class Push : public Transfer {
 public:
  Push() {
    flags.boolean(all_, "all-tags", 'a', "Push all tags of an image to the repository");
    flags.string(compression_, "compression", 0,
                 "Compress layers with \"gzip\" or \"zstd\" (default: as the registry has them, else gzip)");
    flags.boolean(no_trust_, "disable-content-trust", 0, "Skip image signing");
    flags.string(platform_, "platform", 0,
                 "Push a platform-specific manifest as a single-platform image to the registry.\n"
                 "Image index won't be pushed, meaning that other manifests, including attestations won't be "
                 "preserved.\n'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)");
    add_progress_flag(flags, progress_);
    flags.boolean(quiet_, "quiet", 'q', "Suppress verbose output");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    const auto shown = TRY(style());
    if (names_engine(arguments[0])) return to_engine(cli, arguments, shown);
    const auto reference = TRY(reference_of(cli, arguments[0]));
    std::string platform;
    if (!platform_.empty()) {
      auto parsed = spec::Platform::parse(platform_);
      if (!parsed.ok()) {
        cli.err.print("Invalid platform {}", platform_);
        return std::move(parsed).error();
      }
      platform = json::encode(*parsed);
      if (!quiet_) cli.err.write(kPlatformNote);
    }
    if (reference.digest()) return Error(Kind::InvalidArgument, "cannot push a digest reference");
    auto stream =
        TRY(TRY(cli.engine())->push(reference, platform, compression_, TRY(registry_auth(cli, reference))));
    TRY(show_progress(stream, cli.out, shown));
    if (shown == ProgressStyle::Quiet) cli.out.print("{}\n", reference.to_string());
    return 0;
  }

 private:
  /// Straight to another engine, under the names that the images have here.
  Result<int> to_engine(Cli& cli, const Arguments& arguments, ProgressStyle shown) {
    if (all_ || !platform_.empty() || !compression_.empty())
      return fail(Kind::InvalidArgument, "{} is not for pushes to an engine",
                  all_                 ? "--all-tags"
                  : !platform_.empty() ? "--platform"
                                       : "--compression");
    const auto place = TRY(parse_place(arguments[0]));
    if (!place.image.empty())
      return fail(Kind::InvalidArgument,
                  "{} names an image behind the engine: push takes the names that the images have here, and "
                  "image copy gives others",
                  arguments[0]);
    const auto other = TRY(Cli::engine_at(place.engine));
    const Arguments names(arguments.begin() + 1, arguments.end());
    TRY(copy_images(cli, *TRY(cli.engine()), *other, names, "", shown));
    return 0;
  }

  std::string compression_;
};

}  // namespace

namespace make {
std::unique_ptr<Command> image_pull() { return std::make_unique<Pull>(); }
std::unique_ptr<Command> image_push() { return std::make_unique<Push>(); }
}  // namespace make

}  // namespace skiff::cli
