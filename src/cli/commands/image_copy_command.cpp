#include "cli/commands/resource_entries.h"
#include "cli/image_copy.h"

namespace skiff::cli {

namespace {

class ImageCopy : public Command {
 public:
  ImageCopy() {
    add_progress_flag(flags, progress_);
    flags.boolean(quiet_, "quiet", 'q', "Suppress verbose output");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    const auto style = quiet_ ? ProgressStyle::Quiet : TRY(parse_progress_style(progress_));
    const auto from = TRY(parse_place(arguments[0]));
    const auto to = TRY(parse_place(arguments[1]));
    if (from.image.empty())
      return fail(Kind::InvalidArgument, "{} names an engine and no image", arguments[0]);
    if (!to.image.empty()) {
      const auto name = TRY(spec::Reference::parse(to.image));
      if (name.digest())
        return Error(Kind::InvalidArgument, "refusing to create a tag with a digest reference");
    }
    if (from.engine == to.engine) return tag(cli, from, to);
    const Engines engines = TRY(connect(cli, from.engine, to.engine));
    TRY(copy_images(cli, *engines.from, *engines.to, {from.image}, to.image, style));
    return 0;
  }

 private:
  struct Engines {
    client::Client* from = nullptr;
    client::Client* to = nullptr;
    std::vector<std::unique_ptr<client::Client>> owned;
  };

  static Result<Engines> connect(Cli& cli, const std::string& from, const std::string& to) {
    Engines engines;
    const auto find = [&](const std::string& host) -> Result<client::Client*> {
      if (host.empty()) return cli.engine();
      engines.owned.push_back(TRY(Cli::engine_at(host)));
      return engines.owned.back().get();
    };
    engines.from = TRY(find(from));
    engines.to = TRY(find(to));
    return engines;
  }

  /// On one engine an image is where it is to be: it gets another name.
  static Result<int> tag(Cli& cli, const ImagePlace& from, const ImagePlace& to) {
    const Engines engines = TRY(connect(cli, from.engine, to.engine));
    const auto name = TRY(spec::Reference::parse_tagged(to.image));
    TRY(engines.to->tag_image(from.image, name.familiar_name(), name.tag()));
    cli.out.print("{}\n", name.to_string());
    return 0;
  }

  std::string progress_ = "auto";
  bool quiet_ = false;
};

}  // namespace

std::unique_ptr<Command> make::image_copy() { return make_command<ImageCopy>(); }

}  // namespace skiff::cli
