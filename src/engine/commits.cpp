#include "engine/commits.h"

#include <algorithm>
#include <set>

#include "archive/changes.h"
#include "archive/worker.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/undo.h"
#include "build/changes.h"
#include "engine/container.h"
#include "engine/create_request.h"
#include "engine/events.h"
#include "engine/image_budget.h"
#include "engine/lifecycle.h"
#include "image/import.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::engine {
namespace {

using spec::docker::ContainerConfig;
using spec::oci::ImageConfig;

/// What a container's configuration and an image's have in common, but for the entry point.
template <typename From, typename To>
void copy_shared(const From& from, To& to) {
  to.user = from.user;
  to.exposed_ports = from.exposed_ports;
  to.env = from.env;
  to.cmd = from.cmd;
  to.volumes = from.volumes;
  to.working_dir = from.working_dir;
  to.labels = from.labels;
  to.stop_signal = from.stop_signal;
  to.args_escaped = from.args_escaped;
  to.healthcheck = from.healthcheck;
  to.on_build = from.on_build;
  to.shell = from.shell;
}

ImageConfig image_config(const ContainerConfig& from) {
  ImageConfig config;
  copy_shared(from, config);
  config.entrypoint = from.entrypoint.value_or(std::vector<std::string>());
  return config;
}

ContainerConfig container_config(const ImageConfig& from) {
  ContainerConfig config;
  copy_shared(from, config);
  if (!from.entrypoint.empty()) config.entrypoint = from.entrypoint;
  return config;
}

Result<void> check_state(const Container& container, State state) {
  if (state == State::Dead)
    return fail(Kind::Conflict, "You cannot commit container {} which is Dead", container.id);
  if (state == State::Removing)
    return fail(Kind::Conflict, "You cannot commit container {} which is being removed", container.id);
  return {};
}

/// The container's own files as a layer. It stays the container's: the layer is a copy.
Result<image::Layer> copy_layer(image::Store& images, const std::string& snapshot, const std::string& parent,
                                const std::set<std::string>& omit) {
  const sys::Fd files = TRY(sys::open_directory(TRY(images.snapshots().layer_directory(snapshot))));
  return image::import_written(images, parent, [&](const sys::Fd& out) -> Result<void> {
    TRY(archive::pack_layer(files, nullptr, out, omit));
    return {};
  });
}

bool is_empty(const image::Layer& layer) {
  static const spec::Digest kEmptyTar = spec::Digest::of(std::string(1024, '\0'));
  return layer.diff_id == kEmptyTar;
}

/// What a start makes in a container's own layer to mount on, and Docker keeps in a layer between the image's
/// and the container's: it is no change by the container.
const std::set<std::string>& mount_places() {
  static const std::set<std::string> kPlaces = {
      "/.dockerenv",   "/dev",       "/dev/console", "/dev/mqueue",      "/dev/pts", "/dev/shm", "/etc",
      "/etc/hostname", "/etc/hosts", "/etc/mtab",    "/etc/resolv.conf", "/proc",    "/sys"};
  return kPlaces;
}

Result<std::vector<archive::Change>> changes_of(snapshot::Store& snapshots, const std::string& key) {
  const sys::Fd upper = TRY(sys::open_directory(TRY(snapshots.layer_directory(key))));
  std::vector<sys::Fd> lower;
  for (std::string at = TRY(snapshots.info(key)).parent; !at.empty(); at = TRY(snapshots.info(at)).parent)
    lower.push_back(TRY(sys::open_directory(TRY(snapshots.layer_directory(at)))));
  return archive::changes(upper, lower, mount_places());
}

/// Of the places to mount on, those in which nothing is that the container made.
Result<std::set<std::string>> unchanged_places(snapshot::Store& snapshots, const std::string& key) {
  std::set<std::string> places = mount_places();
  for (const auto& change : TRY(changes_of(snapshots, key)))
    for (std::string path = change.path; path.size() > 1; path = std::string(sys::dir_name(path)))
      places.erase(path);
  return places;
}

}  // namespace

Result<std::vector<spec::docker::FileChange>> Commits::changes(std::string_view name) {
  const auto container = TRY(set_.find(name));
  std::vector<spec::docker::FileChange> shown;
  for (auto& change : TRY(changes_of(parts_.images.snapshots(), snapshot_key(container->id))))
    shown.push_back({std::move(change.path), static_cast<int>(change.kind)});
  return shown;
}

Result<std::string> Commits::commit(std::string_view name, const Commit& request) {
  const auto container = TRY(set_.find(name));
  TRY(check_state(*container, container->state_now()));
  const Definition definition = container->definition_now();
  ContainerConfig config = container_config(TRY(build::apply_changes(
      image_config(request.config ? *request.config : definition.config), request.changes)));
  const ImageConfig own = image_config(definition.config);
  merge_config(config, own);

  // One that ended just now is as still as it can be.
  const bool paused =
      request.pause && container->state_now() == State::Running && lifecycle_.pause(container->id).ok();
  UndoStack resume;
  if (paused)
    resume.add([&] {
      if (auto resumed = lifecycle_.unpause(container->id); !resumed.ok())
        log::warning("{}", resumed.error().message());
    });
  const image::Image base = TRY(parts_.images.resolve(definition.image));
  const std::string key = snapshot_key(container->id);
  const auto omit = TRY(unchanged_places(parts_.images.snapshots(), key));
  const image::Layer layer = TRY(copy_layer(parts_.images, key, base.snapshot, omit));
  resume.run();

  UndoStack undo;  // unless an image has it
  undo.add([&] { parts_.images.drop_layer(layer.snapshot); });
  spec::oci::Image image = base.config;
  std::vector<image::Layer> layers = base.layers;
  image.created = now();
  image.author = request.author;
  image.config = image_config(config);
  spec::oci::History history;
  history.created = image.created;
  history.author = request.author;
  history.created_by = join(definition.config.cmd, " ");
  history.comment = request.comment;
  history.empty_layer = is_empty(layer);
  if (!history.empty_layer) {
    image.rootfs.diff_ids.push_back(layer.diff_id);
    layers.push_back(layer);
  }
  image.history.push_back(std::move(history));
  const auto hold = parts_.images.hold(image::id_of(image));  // until it has its name
  const auto made = TRY(parts_.images.create(image, layers, definition.image));
  if (request.name) TRY(parts_.images.tag(made.id, *request.name));
  auto attributes = event_attributes(definition);
  attributes["comment"] = request.comment;
  attributes["imageID"] = made.id.to_string();
  attributes["imageRef"] = request.name ? request.name->familiar() : "";
  events_.publish("container", "commit", container->id, std::move(attributes));
  if (parts_.budget) parts_.budget->keep(*image.created);
  return made.id.to_string();
}

Result<void> Commits::find(std::string_view name) {
  TRY(set_.find(name));
  return {};
}

Result<void> Commits::export_root(std::string_view name, const sys::Fd& out) {
  const auto container = TRY(set_.find(name));
  archive::Root root;
  root.mounts = TRY(parts_.images.snapshots().frozen(snapshot_key(container->id)));
  TRY(archive::pack(root, "/", out, archive::PackNames::Inside));
  events_.publish("container", "export", container->id, event_attributes(container->definition_now()));
  return {};
}

}  // namespace skiff::engine
