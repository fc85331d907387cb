#include "engine/images.h"

#include "base/strings.h"
#include "build/frontend/pattern.h"
#include "engine/container.h"
#include "engine/events.h"
#include "spec/reference.h"

namespace skiff::engine {
namespace {

constexpr std::string_view kNoImage = "<missing>";

std::int64_t seconds_of(const std::optional<Time>& time) {
  if (!time) return 0;
  return std::chrono::duration_cast<std::chrono::seconds>(time->time_since_epoch()).count();
}

/// Those of an image's names, its tags or its digests, that the reference filter lets through; all of them
/// when there is none. A pattern without a tag matches any, and no wildcard matches a "/".
Result<std::vector<std::string>> matching(const Filters& filters, const std::vector<std::string>& names) {
  if (!filters.has("reference")) return names;
  std::vector<build::Pattern> patterns;
  for (const std::string& text : filters.values("reference"))
    patterns.push_back(TRY(build::Pattern::compile(text, build::Pattern::Style::File)));
  std::vector<std::string> found;
  for (const std::string& name : names) {
    const auto at = name.find('@');
    const std::string repository = name.substr(0, at == std::string::npos ? name.rfind(':') : at);
    const auto meant = [&](const build::Pattern& pattern) {
      return pattern.matches(name) || pattern.matches(repository);
    };
    if (std::any_of(patterns.begin(), patterns.end(), meant)) found.push_back(name);
  }
  return found;
}

struct Layer {
  std::string snapshot;
  std::int64_t bytes = 0;
};

/// The layers of an image, bottom first, from the chain of snapshots.
std::vector<Layer> layers_of(image::Store& images, const image::Image& image) {
  std::vector<Layer> layers;
  std::string key = image.snapshot;
  while (!key.empty() && layers.size() < image.config.rootfs.diff_ids.size()) {
    const auto info = images.snapshots().info(key);
    if (!info.ok()) break;
    layers.push_back({key, static_cast<std::int64_t>(info->bytes)});
    key = info->parent;
  }
  std::reverse(layers.begin(), layers.end());
  return layers;
}

/// What each image has in layers that another one of the list has too.
void measure_sharing(image::Store& images, const std::vector<const image::Image*>& listed,
                     std::vector<spec::docker::ImageSummary>& summaries) {
  std::vector<std::vector<Layer>> layers;
  std::map<std::string, int> users;
  for (const image::Image* image : listed) {
    layers.push_back(layers_of(images, *image));
    for (const Layer& layer : layers.back()) ++users[layer.snapshot];
  }
  for (std::size_t i = 0; i < summaries.size(); ++i) {
    summaries[i].shared_size = 0;
    for (const Layer& layer : layers[i])
      if (users[layer.snapshot] > 1) summaries[i].shared_size += layer.bytes;
  }
}

struct TimeWindow {
  std::optional<Time> before;
  std::optional<Time> since;
  std::optional<Time> until;
  bool holds(const std::optional<Time>& created) const {
    const Time time = created.value_or(Time{});
    return (!before || time < *before) && (!since || time > *since) && (!until || time <= *until);
  }
};

Result<TimeWindow> time_window(image::Store& images, const Filters& filters) {
  TimeWindow window;
  for (const std::string& name : filters.values("before"))
    window.before = TRY(images.resolve(name)).config.created;
  for (const std::string& name : filters.values("since"))
    window.since = TRY(images.resolve(name)).config.created;
  for (const std::string& text : filters.values("until")) {
    window.until = parse_timestamp(text, now());
    if (!window.until)
      return fail(Kind::InvalidArgument, "failed to parse value as time or duration: {}", quote(text));
  }
  return window;
}

Result<void> check_platform(const image::Image& image, std::string_view name,
                            const std::optional<spec::Platform>& platform) {
  if (!platform || platform->accepts(image.config.platform)) return {};
  return fail(Kind::NotFound,
              "image with reference {} was found but its platform ({}) does not match the specified platform "
              "({})",
              name, image.config.platform.to_string(), platform->to_string());
}

}  // namespace

Result<std::vector<spec::docker::ImageSummary>> Images::list(bool all, const Filters& filters,
                                                             bool shared_size) {
  TRY(filters.check({"before", "dangling", "label", "pinned", "reference", "since", "until"}));
  const TimeWindow window = TRY(time_window(parts_.images, filters));
  const bool by_name = filters.has("dangling");
  const bool dangling = TRY(filters.boolean("dangling", false));
  const bool pinned = TRY(filters.boolean("pinned", false));
  const auto images = TRY(parts_.images.list());
  std::map<std::string, int> used;
  for (const auto& container : set_.all()) ++used[container->definition_now().image];
  std::map<std::string, int> children;
  for (const image::Image& image : images)
    if (!image.parent.empty()) ++children[image.parent];
  std::vector<spec::docker::ImageSummary> list;
  std::vector<const image::Image*> listed;
  for (const image::Image& image : images) {
    const std::string id = image.id.to_string();
    const bool nameless = image.tags.empty() && image.repo_digests.empty();
    // Steps of the classic builder are nameless parents: shown with -a only.
    if (nameless && children[id] > 0 && (!all || by_name)) continue;
    if (by_name && (dangling ? !image.tags.empty() : nameless)) continue;
    if (filters.has("pinned") && image.pinned != pinned) continue;
    if (!window.holds(image.config.created) || !filters.labels(image.config.config.labels)) continue;
    std::vector<std::string> tags = TRY(matching(filters, image.tags));
    std::vector<std::string> digests = TRY(matching(filters, image.repo_digests));
    if (tags.empty() && digests.empty() && filters.has("reference")) continue;
    spec::docker::ImageSummary summary;
    summary.id = id;
    summary.created = seconds_of(image.config.created);
    summary.labels = image.config.config.labels;
    summary.parent_id = image.parent;
    summary.repo_digests = std::move(digests);
    summary.repo_tags = std::move(tags);
    summary.size = static_cast<std::int64_t>(image.size);
    summary.skiff = {image.pinned, image.used};
    if (shared_size) summary.containers = used[id];
    list.push_back(std::move(summary));
    listed.push_back(&image);
  }
  if (shared_size) measure_sharing(parts_.images, listed, list);
  std::stable_sort(list.begin(), list.end(),
                   [](const auto& a, const auto& b) { return a.created > b.created; });
  return list;
}

Result<spec::docker::ImageInspect> Images::inspect(std::string_view name,
                                                   const std::optional<spec::Platform>& platform) {
  const image::Image image = TRY(parts_.images.resolve(name));
  TRY(check_platform(image, name, platform));
  spec::docker::ImageInspect shown;
  shown.id = image.id.to_string();
  shown.repo_tags = image.tags;
  shown.repo_digests = image.repo_digests;
  shown.parent = image.parent;
  if (!image.config.history.empty()) shown.comment = image.config.history.back().comment;
  shown.created = image.config.created;
  shown.author = image.config.author;
  shown.config = image.config.config;
  shown.architecture = image.config.platform.architecture;
  shown.variant = image.config.platform.variant;
  shown.os = image.config.platform.os;
  shown.os_version = image.config.os_version;
  shown.size = static_cast<std::int64_t>(image.size);
  shown.graph_driver.name = "overlay2";
  if (!image.snapshot.empty())
    if (const auto directory = parts_.images.snapshots().layer_directory(image.snapshot); directory.ok())
      shown.graph_driver.data["UpperDir"] = *directory;
  for (const auto& diff_id : image.config.rootfs.diff_ids)
    shown.root_fs.layers.push_back(diff_id.to_string());
  shown.metadata.last_tag_time = image.tagged;
  shown.skiff = {image.pinned, image.used};
  return shown;
}

Result<std::vector<spec::docker::ImageHistoryItem>> Images::history(
    std::string_view name, const std::optional<spec::Platform>& platform) {
  const image::Image image = TRY(parts_.images.resolve(name));
  TRY(check_platform(image, name, platform));
  const auto layers = layers_of(parts_.images, image);
  std::vector<spec::docker::ImageHistoryItem> items;
  std::size_t layer = 0;
  for (const auto& step : image.config.history) {
    spec::docker::ImageHistoryItem item;
    item.id = kNoImage;
    item.created = seconds_of(step.created);
    item.created_by = step.created_by;
    item.comment = step.comment;
    if (!step.empty_layer && layer < layers.size()) item.size = layers[layer++].bytes;
    items.push_back(std::move(item));
  }
  std::reverse(items.begin(), items.end());
  if (items.empty()) items.emplace_back();
  // The image itself and the steps it came from, as far as they are images here.
  items.front().id = image.id.to_string();
  items.front().tags = image.tags;
  std::string parent = image.parent;
  for (std::size_t i = 1; i < items.size() && !parent.empty(); ++i) {
    const auto step = parts_.images.resolve(parent);
    if (!step.ok()) break;
    items[i].id = parent;
    items[i].tags = step->tags;
    parent = step->parent;
  }
  return items;
}

Result<void> Images::tag(std::string_view name, const std::string& repository, const std::string& tag) {
  const image::Image image = TRY(parts_.images.resolve(name));
  const auto reference = TRY(spec::reference_from_parts(repository, tag)).with_default_tag();
  if (reference.digest())
    return Error(Kind::InvalidArgument, "refusing to create a tag with a digest reference");
  if (reference.familiar_name() == "sha256")
    return Error(Kind::InvalidArgument, "refusing to create an ambiguous tag using digest algorithm as name");
  TRY(parts_.images.tag(image.id, reference));
  events_.publish("image", "tag", image.id.to_string(), {{"name", reference.familiar()}});
  return {};
}

Result<void> Images::pin(std::string_view name, bool pinned) {
  const std::string id = TRY(parts_.images.pin(name, pinned)).to_string();
  events_.publish("image", pinned ? "pin" : "unpin", id, {{"name", std::string(name)}});
  return {};
}

Result<std::vector<spec::docker::ImageDeleteItem>> Images::remove(
    std::string_view name, bool force, bool no_prune, const std::optional<spec::Platform>& platform) {
  if (platform) TRY(check_platform(TRY(parts_.images.resolve(name)), name, platform));
  const auto in_use = [this](const spec::Digest& of, bool* running) { return set_.user_of(of, running); };
  const spec::Digest id = TRY(parts_.images.id_of(name));
  const auto removals = TRY(parts_.images.remove(name, force, !no_prune, in_use));
  std::vector<spec::docker::ImageDeleteItem> items;
  for (const auto& removal : removals) {
    items.push_back({removal.untagged, removal.deleted});
    if (!removal.untagged.empty())
      events_.publish("image", "untag", id.to_string(), {{"name", removal.untagged}});
    if (!removal.deleted.empty())
      events_.publish("image", "delete", removal.deleted, {{"name", removal.deleted}});
  }
  return items;
}

Result<spec::docker::ImagePruneReport> Images::prune(const Filters& filters) {
  TRY(filters.check({"dangling", "label", "label!", "until"}));
  const bool only_dangling = TRY(filters.boolean("dangling", true));
  const TimeWindow window = TRY(time_window(parts_.images, filters));
  spec::docker::ImagePruneReport report;
  std::map<std::string, int> used;
  for (const auto& container : set_.all()) ++used[container->definition_now().image];
  for (const image::Image& image : TRY(parts_.images.list())) {
    const std::string id = image.id.to_string();
    if (image.pinned || used[id] > 0 || (only_dangling && !image.tags.empty())) continue;
    if (!window.holds(image.config.created) || !filters.labels(image.config.config.labels)) continue;
    std::vector<std::string> names = image.tags;
    if (names.empty()) names.push_back(id);
    for (const std::string& name : names) {
      // A parent that a child still needs stays, as does what somebody took into use meanwhile.
      const auto removed = remove(name, false, false);
      if (!removed.ok()) continue;
      report.images_deleted.insert(report.images_deleted.end(), removed->begin(), removed->end());
    }
    for (const image::Layer& layer : image.layers)  // what another image shares stays
      if (!parts_.images.snapshots().info(layer.snapshot).ok()) report.space_reclaimed += layer.bytes;
  }
  events_.publish("image", "prune", "", {{"reclaimed", std::to_string(report.space_reclaimed)}});
  return report;
}

}  // namespace skiff::engine
