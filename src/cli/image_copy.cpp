#include "cli/image_copy.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/strings.h"

namespace skiff::cli {

namespace {

constexpr std::string_view kUnix = "unix://";
constexpr std::string_view kSchemes[] = {kUnix, "ssh://", "tcp://", "http://"};

bool is_socket(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode);
}

/// What is copied: the image's id, its layers, bottom first.
struct Source {
  std::string id;
  std::vector<std::string> diff_ids;
};

struct Layers {
  std::string type;
  std::vector<std::string> layers;
};
void describe(json::Fields& f, Layers& layers) {
  f("Type", layers.type);
  f("Layers", layers.layers);
}
struct Inspected {
  std::string id;
  Layers root_fs;
};
void describe(json::Fields& f, Inspected& image) {
  f("Id", image.id);
  f("RootFS", image.root_fs);
}

Result<Source> look_up(client::Client& engine, const std::string& name) {
  auto image = TRY(json::from_value<Inspected>(TRY(engine.inspect_image(name))));
  return Source{std::move(image.id), std::move(image.root_fs.layers)};
}

/// The layers that need not be sent; none of an engine that cannot be asked.
Result<std::vector<std::string>> known_to(client::Client& engine, const std::vector<std::string>& diff_ids) {
  auto known = engine.known_layers(diff_ids);
  if (!known.ok() && known.error().kind() == Kind::NotFound) return std::vector<std::string>();
  return known;
}

Result<client::Stream> archive_of(client::Client& engine, const std::vector<std::string>& names,
                                  const std::vector<std::string>& without) {
  if (without.empty()) return engine.save_images(names, "");
  auto stream = engine.save_images_without({names, without});
  if (!stream.ok() && stream.error().message().ends_with("page not found"))
    return engine.save_images(names, "");  // an engine that can only save whole images
  return stream;
}

}  // namespace

bool names_engine(std::string_view text) {
  return std::any_of(std::begin(kSchemes), std::end(kSchemes),
                     [&](std::string_view scheme) { return text.starts_with(scheme); });
}

Result<ImagePlace> parse_place(std::string_view text) {
  if (!names_engine(text)) return ImagePlace{"", std::string(text)};
  const auto split_at = [&](std::size_t end) {
    return ImagePlace{std::string(text.substr(0, end)),
                      std::string(text.substr(std::min(text.size(), end + 1)))};
  };
  if (!text.starts_with(kUnix)) {
    const auto host = text.find("://") + 3;
    return split_at(std::min(text.find('/', host), text.size()));
  }
  for (std::size_t end = kUnix.size() + 1; end <= text.size(); ++end)
    if ((end == text.size() || text[end] == '/') &&
        is_socket(std::string(text.substr(kUnix.size(), end - kUnix.size()))))
      return split_at(end);
  return fail(Kind::InvalidArgument,
              "{} leads to no socket: write unix://, the socket's path, / and the image", text);
}

Result<void> copy_images(Cli& cli, client::Client& from, client::Client& to,
                         const std::vector<std::string>& names, const std::string& target,
                         ProgressStyle style) {
  std::vector<std::string> diff_ids;
  std::vector<std::string> saved = names;
  for (std::size_t i = 0; i < names.size(); ++i) {
    Source source = TRY(look_up(from, names[i]));
    std::move(source.diff_ids.begin(), source.diff_ids.end(), std::back_inserter(diff_ids));
    if (!target.empty()) saved[i] = source.id;  // by its id it takes no name along
  }
  const auto known = TRY(known_to(to, diff_ids));
  if (style == ProgressStyle::Auto || style == ProgressStyle::Plain)
    for (const auto& diff_id : known)
      cli.out.print("{}: Layer already exists\n", diff_id.substr(diff_id.find(':') + 1, 12));
  cli.out.flush();
  auto archive = TRY(archive_of(from, saved, known));
  const auto source = [&](char* buffer, std::size_t size) { return archive.read(buffer, size); };
  const bool bars = style == ProgressStyle::Json || (style == ProgressStyle::Auto && cli.out.is_terminal());
  ProgressPrinter printer(cli.out, style);
  auto progress = TRY(to.load_images({.source = source}, !bars, "",
                                     [&](json::Value line) { return printer.take(std::move(line)); }));
  TRY(printer.take_all(progress));
  if (target.empty()) return {};
  const auto reference = TRY(spec::Reference::parse_tagged(target));
  TRY(to.tag_image(saved.front(), reference.familiar_name(), reference.tag()));
  if (style != ProgressStyle::Json) cli.out.print("{}\n", reference.to_string());
  return {};
}

}  // namespace skiff::cli
