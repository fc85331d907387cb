#include <fcntl.h>
#include <unistd.h>

#include "cli/commands/resource_entries.h"
#include "cli/commands/resource_support.h"
#include "cli/progress.h"
#include "cli/tar_output.h"
#include "spec/reference.h"
#include "sys/file.h"

namespace skiff::cli {

namespace {

class ImageSave : public Command {
 public:
  ImageSave() {
    flags.string(output_, "output", 'o', "Write to a file, instead of STDOUT");
    flags.string(platform_, "platform", 0,
                 "Save only the given platform variant. Formatted as \"os[/arch[/variant]]\" (e.g., "
                 "\"linux/amd64\")");
  }

  Result<int> run(Cli& cli, const Arguments& names) override {
    const auto platform = TRY(platform_parameter(platform_));
    TRY(check_tar_output(cli, output_, "failed to save image"));
    auto stream = TRY(TRY(cli.engine())->save_images(names, platform));
    TRY(write_tar_output(stream, output_));
    return 0;
  }

 private:
  std::string output_, platform_;
};

class ImageLoad : public Command {
 public:
  ImageLoad() {
    flags.string(input_, "input", 'i', "Read from tar archive file, instead of STDIN");
    flags.string(platform_, "platform", 0,
                 "Load only the given platform variant. Formatted as \"os[/arch[/variant]]\" (e.g., "
                 "\"linux/amd64\")");
    add_progress_flag(flags, progress_);
    flags.boolean(quiet_, "quiet", 'q', "Suppress the load output");
  }

  Result<int> run(Cli& cli, const Arguments&) override {
    const auto style = TRY(parse_progress_style(progress_));
    sys::Fd file;
    if (!input_.empty()) {
      file = sys::Fd(::open(input_.c_str(), O_RDONLY | O_CLOEXEC));
      if (!file) return fail_errno("open {}", input_);
    } else if (::isatty(0)) {
      return Error(Kind::InvalidArgument, "requested load from stdin, but stdin is empty");
    }
    const auto platform = TRY(platform_parameter(platform_));
    // Docker's client asks for silence, too, when nobody would see the bars.
    const bool quiet = quiet_ || (style != ProgressStyle::Json && !cli.out.is_terminal());
    auto body = file ? body_from(file.get(), input_) : body_from(0, "/dev/stdin");
    ProgressPrinter printer(cli.out, style);
    auto stream = TRY(TRY(cli.engine())->load_images(std::move(body), quiet, platform, [&](json::Value line) {
      return printer.take(std::move(line));
    }));
    TRY(printer.take_all(stream));
    return 0;
  }

 private:
  std::string input_, platform_, progress_ = "auto";
  bool quiet_ = false;
};

bool is_url(std::string_view text) { return text.starts_with("http://") || text.starts_with("https://"); }

class ImageImport : public Command {
 public:
  ImageImport() {
    flags.list(changes_, "change", 'c', "Apply Dockerfile instruction to the created image");
    flags.string(message_, "message", 'm', "Set commit message for imported image");
    flags.string(platform_, "platform", 0, "Set platform if server is multi-platform capable");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    const std::string& source = arguments[0];
    const std::string name = arguments.size() > 1 ? arguments[1] : "";
    sys::Fd file;
    if (source != "-" && !is_url(source)) {
      file = sys::Fd(::open(source.c_str(), O_RDONLY | O_CLOEXEC));
      if (!file) return fail_errno("open {}", source);
    }
    if (!name.empty()) TRY(spec::Reference::parse(name));
    client::Query query("/images/create");
    query.add("fromSrc", is_url(source) ? source : "-").add_if("repo", name).add_if("message", message_);
    for (const auto& change : changes_) query.add("changes", change);
    query.add_if("platform", platform_);
    http::LongBody body;
    if (!is_url(source)) body = file ? body_from(file.get(), source) : body_from(0, "/dev/stdin");
    auto stream = TRY(TRY(cli.engine())->import_image(query, std::move(body)));
    TRY(show_progress(stream, cli.out, ProgressStyle::Auto));
    return 0;
  }

 private:
  std::vector<std::string> changes_;
  std::string message_, platform_;
};

}  // namespace

namespace make {
std::unique_ptr<Command> image_save() { return std::make_unique<ImageSave>(); }
std::unique_ptr<Command> image_load() { return std::make_unique<ImageLoad>(); }
std::unique_ptr<Command> image_import() { return std::make_unique<ImageImport>(); }
}  // namespace make

}  // namespace skiff::cli
