#include "engine/archives.h"

#include <chrono>

#include "build/changes.h"
#include "engine/events.h"
#include "engine/image_budget.h"
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

constexpr std::chrono::milliseconds kBetweenSteps{100};

/// What a layer is called while it is read, and nobody knows yet what it is: by the digest that is the name
/// of its entry. That of an uncompressed layer is its diff id.
std::string layer_id(std::string_view entry, std::string_view otherwise) {
  constexpr std::string_view kBlobs = "blobs/sha256/";
  constexpr std::size_t kShown = 12;
  return std::string(entry.starts_with(kBlobs) ? entry.substr(kBlobs.size(), kShown) : otherwise);
}

/// A step of a layer, with the bar that Docker's clients show.
ProgressLine layer_line(std::string id, std::uint64_t current, std::uint64_t total) {
  ProgressLine line;
  line.status = "Loading layer";
  line.id = std::move(id);
  line.progress_detail =
      spec::docker::ProgressDetail{static_cast<std::int64_t>(current), static_cast<std::int64_t>(total)};
  line.progress = spec::docker::progress_bar(*line.progress_detail, kColumns);
  return line;
}

}  // namespace

Result<std::vector<image::Saved>> Archives::choose(const std::vector<std::string>& names,
                                                   const std::optional<spec::Platform>& platform) {
  return image::choose_saved(parts_.images, names, platform);
}

Result<void> Archives::save(const std::vector<image::Saved>& images, const sys::Fd& out,
                            const std::set<spec::Digest>& without) {
  TRY(image::save(parts_.images, images, out, without));
  for (const auto& saved : images) {
    const std::string& id = saved.image.id.to_string();
    events_.publish("image", "save", id, {{"name", id}});
  }
  return {};
}

Result<std::vector<std::string>> Archives::known_layers(const std::vector<std::string>& diff_ids) {
  std::set<std::string> wanted(diff_ids.begin(), diff_ids.end());
  std::vector<std::string> known;
  for (const auto& image : TRY(parts_.images.list()))
    for (const auto& layer : image.layers)
      if (wanted.erase(layer.diff_id.to_string()) > 0) known.push_back(layer.diff_id.to_string());
  return known;
}

Result<void> Archives::load(const sys::Fd& tar, const std::optional<spec::Platform>& platform, bool quiet,
                            const Say& say) {
  TRY(parts_.trust.check_load());
  image::LoadListener listener;
  std::chrono::steady_clock::time_point said;
  if (!quiet) {
    listener.reading = [&](const archive::EntryProgress& step) {
      const auto moment = std::chrono::steady_clock::now();
      std::string id = layer_id(step.name, "");
      if (id.empty() || moment < said + kBetweenSteps) return;
      said = moment;
      say(layer_line(std::move(id), step.current, step.total));
    };
    listener.unpacked = [&](const image::Layer& layer, const std::string& entry) {
      say(layer_line(layer_id(entry, layer.diff_id.short_hex()), layer.tar_bytes, layer.tar_bytes));
    };
  }
  listener.renamed = [&](const spec::Reference& name, const spec::Digest& before) {
    say(stream_line(
        fmt::format("The image {} already exists, renaming the old one with ID {} to empty string\n",
                    name.familiar(), before.to_string())));
  };
  listener.found = [&](const spec::Digest& image, bool known) {
    return parts_.trust.origins().loaded(image, known);
  };
  std::string last;
  listener.loaded = [&](const image::Image& loaded, const std::optional<spec::Reference>& name) {
    const std::string& id = loaded.id.to_string();
    say(stream_line(name ? fmt::format("Loaded image: {}\n", name->familiar())
                         : fmt::format("Loaded image ID: {}\n", id)));
    if (std::exchange(last, id) != id) events_.publish("image", "load", id, {{"name", id}});
  };
  const Time began = now();
  TRY(image::load(parts_.images, tar, platform, listener));
  if (parts_.budget) parts_.budget->keep(began);
  return {};
}

Result<std::string> Archives::import(const sys::Fd& tar, const Import& import) {
  const Time began = now();
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
  if (parts_.budget) parts_.budget->keep(began);
  return id;
}

}  // namespace skiff::engine
