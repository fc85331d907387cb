#include "engine/archives.h"

#include "build/changes.h"
#include "engine/events.h"
#include "image/import.h"
#include "image/load.h"
#include "spec/docker/progress_bar.h"

namespace skiff::engine {
namespace {

using spec::docker::ProgressLine;

constexpr int kColumns = 200;  // the client's own bar is drawn from the numbers

ProgressLine stream_line(std::string text) {
  ProgressLine line;
  line.stream = std::move(text);
  return line;
}

/// A layer that is whole, with the bar that Docker's clients show.
ProgressLine layer_line(const image::Layer& layer) {
  const auto size = static_cast<std::int64_t>(layer.tar_bytes);
  ProgressLine line;
  line.status = "Loading layer";
  line.id = layer.diff_id.short_hex();
  line.progress_detail = spec::docker::ProgressDetail{size, size};
  line.progress = spec::docker::progress_bar(*line.progress_detail, kColumns);
  return line;
}

}  // namespace

Result<std::vector<image::Saved>> Archives::choose(const std::vector<std::string>& names,
                                                   const std::optional<spec::Platform>& platform) {
  return image::choose_saved(parts_.images, names, platform);
}

Result<void> Archives::save(const std::vector<image::Saved>& images, const sys::Fd& out) {
  TRY(image::save(parts_.images, images, out));
  for (const auto& saved : images) {
    const std::string& id = saved.image.id.to_string();
    events_.publish("image", "save", id, {{"name", id}});
  }
  return {};
}

Result<void> Archives::load(const sys::Fd& tar, const std::optional<spec::Platform>& platform, bool quiet,
                            const Say& say) {
  image::LoadListener listener;
  if (!quiet) listener.unpacked = [&](const image::Layer& layer) { say(layer_line(layer)); };
  listener.renamed = [&](const spec::Reference& name, const spec::Digest& before) {
    say(stream_line(
        fmt::format("The image {} already exists, renaming the old one with ID {} to empty string\n",
                    name.familiar(), before.to_string())));
  };
  std::string last;
  listener.loaded = [&](const image::Image& loaded, const std::optional<spec::Reference>& name) {
    const std::string& id = loaded.id.to_string();
    say(stream_line(name ? fmt::format("Loaded image: {}\n", name->familiar())
                         : fmt::format("Loaded image ID: {}\n", id)));
    if (std::exchange(last, id) != id) events_.publish("image", "load", id, {{"name", id}});
  };
  return image::load(parts_.images, tar, platform, listener);
}

Result<std::string> Archives::import(const sys::Fd& tar, const Import& import) {
  spec::oci::Image config;
  config.platform = import.platform.value_or(spec::Platform::host());
  if (config.platform.os != "linux") return Error(Kind::InvalidArgument, "operating system is not supported");
  config.created = now();
  config.config = TRY(build::apply_changes({}, import.changes));
  spec::oci::History history;
  history.created = config.created;
  history.comment = import.message;
  const auto image =
      TRY(image::import_rootfs(parts_.images, tar, std::move(config), std::move(history), import.name));
  const std::string& id = image.id.to_string();
  events_.publish("image", "import", id, {{"name", import.name ? import.name->familiar() : id}});
  return id;
}

}  // namespace skiff::engine
