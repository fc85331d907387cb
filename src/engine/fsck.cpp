#include "engine/fsck.h"

#include <list>

#include "base/ids.h"
#include "base/undo.h"
#include "engine/container.h"
#include "engine/lifecycle.h"

namespace skiff::engine {
namespace {

/// The snapshots below `key`, nearest first. What is missing ends the list.
std::vector<std::string> below(snapshot::Store& snapshots, const std::string& key) {
  std::vector<std::string> found;
  for (auto info = snapshots.info(key); info.ok() && !info->parent.empty();
       info = snapshots.info(info->parent))
    found.push_back(info->parent);
  return found;
}

bool stands_on(snapshot::Store& snapshots, const Container& container, const std::string& layer) {
  const auto layers = below(snapshots, snapshot_key(container.id));
  return std::find(layers.begin(), layers.end(), layer) != layers.end();
}

bool lives(State state) { return is_running(state) || state == State::Restarting; }

Error in_use(const Container& container) {
  return fail(Kind::Conflict, "container {} runs on it: stop it first", short_id(container.id));
}

}  // namespace

Result<void> while_containers_are_still(
    Parts& parts, ContainerSet& set, const std::string& layer,
    const std::function<Result<void>(const std::set<std::string>&)>& work) {
  // Always in the order of all(), so that two who do this do not wait for each other.
  std::vector<std::shared_ptr<Container>> standing;
  for (auto& container : set.all())
    if (stands_on(parts.images.snapshots(), *container, layer)) standing.push_back(std::move(container));
  // A first look without locks: an operation may take as long as a container takes to stop.
  for (const auto& container : standing)
    if (lives(container->state_now())) return in_use(*container);
  std::list<MutexLock> held;
  std::set<std::string> idle;
  for (const auto& container : standing) {
    held.emplace_back(container->operation);
    if (lives(container->state_now())) return in_use(*container);
    idle.insert(snapshot_key(container->id));
  }
  return work(idle);
}

Result<spec::CheckReport> Fsck::run(const FsckRequest& request, image::Progress& progress,
                                    const std::stop_token& stop) {
  {
    const MutexLock lock(mutex_);
    if (busy_) return Error(Kind::Conflict, "a check is under way already");
    busy_ = true;
  }
  UndoStack undo;
  undo.add([this] {
    const MutexLock lock(mutex_);
    busy_ = false;
  });
  return run_alone(request, progress, stop);
}

Result<spec::CheckReport> Fsck::run_alone(const FsckRequest& request, image::Progress& progress,
                                          const std::stop_token& stop) {
  auto checked = TRY(image::check(parts_.images, parts_.database, progress, stop));
  name_containers(checked.findings);
  check_containers(checked);
  spec::CheckReport report = std::move(checked.report);
  for (auto& finding : checked.findings) {
    if (request.repair) repair(finding, request, progress, stop);
    if (stop.stop_requested()) return Error(Kind::Cancelled, "context canceled");
    report.damages.push_back(std::move(finding.damage));
  }
  if (request.repair)
    for (auto& leftover : report.leftovers) TRY(remove(leftover));
  return report;
}

void Fsck::name_containers(std::vector<image::Finding>& findings) {
  for (const auto& container : set_.all()) {
    const auto layers = below(parts_.images.snapshots(), snapshot_key(container->id));
    const Definition definition = container->definition_now();
    for (auto& finding : findings) {
      const bool stands = std::find(layers.begin(), layers.end(), finding.snapshot) != layers.end();
      const bool image = finding.damage.kind == "image" && finding.damage.id == definition.image;
      if (stands || image) finding.damage.containers.push_back(definition.name);
    }
  }
}

/// Each has a layer of its own, and everything that it stands on.
void Fsck::check_containers(image::Checked& checked) {
  snapshot::Store& snapshots = parts_.images.snapshots();
  for (const auto& container : set_.all()) {
    ++checked.report.containers;
    std::string problem;
    if (const auto sound = snapshots.sound(snapshot_key(container->id)); !sound.ok())
      problem = fmt::format("its own layer: {}", sound.error().message());
    for (const auto& key : below(snapshots, snapshot_key(container->id)))
      if (const auto info = snapshots.info(key); !info.ok()) problem = info.error().message();
    if (problem.empty() || !set_.by_id(container->id)) continue;
    image::Finding finding;
    finding.damage.kind = "container";
    finding.damage.id = container->id;
    finding.damage.problem = std::move(problem);
    finding.damage.containers = {container->definition_now().name};
    checked.findings.push_back(std::move(finding));
  }
}

void Fsck::repair(image::Finding& finding, const FsckRequest& request, image::Progress& progress,
                  const std::stop_token& stop) {
  spec::Damage& damage = finding.damage;
  if (damage.kind == "name") {
    const auto forgotten = image::forget_name(parts_.database, damage.id);
    damage.repaired = forgotten.ok();
    damage.repair = forgotten.ok() ? "the name is forgotten" : forgotten.error().message();
    return;
  }
  if (damage.kind == "compressed layer") {
    const auto removed = image::drop_kept_layer(parts_.images, finding);
    damage.repaired = removed.ok();
    damage.repair = removed.ok() ? "removed: pushes compress the layer anew" : removed.error().message();
    return;
  }
  if (damage.kind == "database") damage.repair = "not possible: bring meta.db back from a backup";
  if (damage.kind == "container") damage.repair = "not possible: what it had written is lost; remove it";
  if (!damage.repair.empty()) return;
  damage.repair = "not possible: no image has it any more";
  for (const auto& id : finding.images) {
    if (image::is_mended(parts_.images, finding)) break;  // together with what was found before
    const auto images = parts_.images.list();
    if (!images.ok()) return;
    for (const auto& image : *images) {
      if (image.id != id) continue;
      const auto mended = puller_.mend(image, request.credentials_of, progress, stop);
      damage.repair = mended.ok() ? "it was fetched again and is damaged still" : mended.error().message();
    }
  }
  damage.repaired = image::is_mended(parts_.images, finding);
  if (damage.repaired) damage.repair = "fetched again";
}

Result<void> Fsck::remove(spec::Leftover& leftover) {
  const auto removed = parts_.images.content().remove(TRY(spec::Digest::parse(leftover.name)));
  leftover.removed = removed.ok();
  if (!removed.ok() && removed.error().kind() != Kind::NotFound) return removed.error();
  return {};
}

}  // namespace skiff::engine
