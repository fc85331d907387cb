#include "engine/container.h"

#include <sys/eventfd.h>

#include <array>

#include "base/ids.h"
#include "base/log.h"

namespace skiff::engine {
namespace {

constexpr std::string_view kDefinitions = "containers";
constexpr std::string_view kStates = "container_states";
constexpr std::array<std::string_view, 7> kStateNames = {"created",  "running", "paused", "restarting",
                                                         "removing", "exited",  "dead"};

std::string_view without_slash(std::string_view name) {
  return name.starts_with('/') ? name.substr(1) : name;
}

bool is_name_character(char c, bool first) {
  const bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  return alphanumeric || (!first && (c == '_' || c == '.' || c == '-'));
}

/// A container that removes itself at its end is promised to nobody beyond a power loss, which ends it.
meta::Durability durability_of(Container& container) {
  const MutexLock lock(container.mutex);
  return container.definition.host.auto_remove ? meta::Durability::Relaxed : meta::Durability::Full;
}

}  // namespace

std::string container_directory(const spec::EngineConfig& config, const std::string& id) {
  return config.data_root + "/containers/" + id;
}

std::string temporary_directory(const spec::EngineConfig& config) { return config.data_root + "/tmp"; }

std::string_view to_string(State state) { return kStateNames[static_cast<std::size_t>(state)]; }

std::optional<State> parse_state(std::string_view text) {
  for (std::size_t i = 0; i < kStateNames.size(); ++i)
    if (kStateNames[i] == text) return static_cast<State>(i);
  return std::nullopt;
}

void describe(json::Fields& f, ContainerMount& mount) {
  f("point", mount.point);
  f("copy_up", mount.copy_up, json::Omit::Empty);
  f("anonymous", mount.anonymous, json::Omit::Empty);
  f("from_mounts", mount.from_mounts, json::Omit::Empty);
  f("subpath", mount.subpath, json::Omit::Empty);
  f("non_recursive", mount.non_recursive, json::Omit::Empty);
  f("read_only_non_recursive", mount.read_only_non_recursive, json::Omit::Empty);
  f("create_source", mount.create_source, json::Omit::Empty);
  f("tmpfs_options", mount.tmpfs_options, json::Omit::Empty);
}

void describe(json::Fields& f, Definition& definition) {
  f("id", definition.id);
  f("name", definition.name);
  f("created", definition.created);
  f("image", definition.image);
  f("path", definition.path);
  f("args", definition.args);
  f("config", definition.config);
  f("host", definition.host);
  f("mounts", definition.mounts);
  f("endpoints", definition.endpoints);
}

void describe(json::Fields& f, RunState& run) {
  std::string state(to_string(run.state));
  f("state", state);
  if (f.reading()) run.state = parse_state(state).value_or(State::Dead);
  bool wanted = run.intent == Intent::Run;
  f("wanted", wanted);
  run.intent = wanted ? Intent::Run : Intent::Stop;
  f("pid", run.pid, json::Omit::Empty);
  f("exit_code", run.exit_code, json::Omit::Empty);
  f("oom_killed", run.oom_killed, json::Omit::Empty);
  f("error", run.error, json::Omit::Empty);
  f("started_at", run.started_at, json::Omit::Empty);
  f("finished_at", run.finished_at, json::Omit::Empty);
  f("restart_count", run.restart_count, json::Omit::Empty);
  f("ports", run.ports, json::Omit::Empty);
  f("health", run.health, json::Omit::Empty);
  f("unhealthy_restarts", run.unhealthy_restarts, json::Omit::Empty);
  f("volumes_too", run.volumes_too, json::Omit::Empty);
}

void Container::announce_end() {
  ++exits;
  changed.notify_all();
  for (const int fd : wake_fds) ::eventfd_write(fd, 1);
}

Result<std::shared_ptr<runner::Task>> running_task(Container& container) {
  const MutexLock lock(container.mutex);
  if (!is_running(container.run.state) || !container.task)
    return fail(Kind::Conflict, "container {} is not running", container.id);
  return container.task;
}

Result<void> check_name(std::string_view name) {
  bool good = name.size() >= 2 && is_name_character(name[0], true);
  for (std::size_t i = 1; good && i < name.size(); ++i) good = is_name_character(name[i], false);
  if (!good) {
    return fail(Kind::InvalidArgument,
                "Invalid container name ({}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name);
  }
  return {};
}

Result<void> ContainerSet::load() {
  std::vector<std::pair<std::string, std::string>> definitions;
  std::map<std::string, std::string> states;
  TRY(database_.read([&](meta::Transaction& transaction) -> Result<void> {
    definitions = TRY(transaction.scan(kDefinitions));
    for (auto& [id, text] : TRY(transaction.scan(kStates))) states[id] = std::move(text);
    return {};
  }));
  const MutexLock lock(mutex_);
  for (auto& [id, text] : definitions) {
    auto definition = TRY_CONTEXT(json::decode<Definition>(text), "record of container {}", id);
    RunState run;
    if (const auto found = states.find(id); found != states.end()) {
      // A damaged run state is no loss: the monitor and the exit record know better.
      if (auto read = json::decode<RunState>(found->second); read.ok()) run = std::move(read).value();
    }
    names_[definition.name] = id;
    by_id_[id] = std::make_shared<Container>(std::move(definition), std::move(run));
  }
  return {};
}

Result<std::shared_ptr<Container>> ContainerSet::find(std::string_view name) {
  const std::string_view wanted = without_slash(name);
  const MutexLock lock(mutex_);
  if (const auto exact = by_id_.find(std::string(wanted)); exact != by_id_.end()) return exact->second;
  if (const auto named = names_.find(wanted); named != names_.end()) {
    if (const auto found = by_id_.find(named->second); found != by_id_.end()) return found->second;
  }
  if (wanted.empty()) return Error(Kind::InvalidArgument, "No such container: ");
  auto prefixed = by_id_.lower_bound(std::string(wanted));
  if (prefixed == by_id_.end() || !prefixed->first.starts_with(wanted))
    return fail(Kind::NotFound, "No such container: {}", name);
  auto next = std::next(prefixed);
  if (next != by_id_.end() && next->first.starts_with(wanted))
    return fail(Kind::InvalidArgument, "Multiple IDs found with provided prefix: {}", name);
  return prefixed->second;
}

std::shared_ptr<Container> ContainerSet::by_id(const std::string& id) {
  const MutexLock lock(mutex_);
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<Container>> ContainerSet::all() {
  std::vector<std::pair<Time, std::shared_ptr<Container>>> sorted;
  {
    const MutexLock lock(mutex_);
    for (const auto& [id, container] : by_id_) sorted.emplace_back(Time{}, container);
  }
  for (auto& [created, container] : sorted) {
    const MutexLock lock(container->mutex);
    created = container->definition.created;
  }
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::shared_ptr<Container>> result;
  result.reserve(sorted.size());
  for (auto& [created, container] : sorted) result.push_back(std::move(container));
  return result;
}

std::size_t ContainerSet::size() {
  const MutexLock lock(mutex_);
  return by_id_.size();
}

ContainerSet::Reservation::~Reservation() {
  if (set_) set_->release_name(name_);
}

Result<ContainerSet::Reservation> ContainerSet::reserve(const std::string& wanted, const std::string& id) {
  const std::string asked(without_slash(wanted));
  if (!asked.empty()) TRY(check_name(asked));
  const MutexLock lock(mutex_);
  std::string name = asked;
  for (int attempt = 0; name.empty(); ++attempt) {
    std::string candidate = random_name(attempt);
    if (names_.find(candidate) == names_.end()) name = std::move(candidate);
  }
  const auto [taken, fresh] = names_.emplace(name, id);
  if (!fresh) {
    return fail(
        Kind::Conflict,
        "Conflict. The container name \"/{}\" is already in use by container \"{}\". You have to remove (or "
        "rename) that container to be able to reuse that name.",
        name, taken->second);
  }
  return Reservation(*this, std::move(name));
}

ContainerSet::ImageHold ContainerSet::hold_image(const std::string& image, const std::string& container) {
  const MutexLock lock(mutex_);
  return {*this, held_.emplace(image, container)};
}

ContainerSet::ImageHold::~ImageHold() {
  const MutexLock lock(set_.mutex_);
  set_.held_.erase(place_);
}

std::string ContainerSet::user_of(const spec::Digest& image, bool* running) {
  std::string user;
  {
    const MutexLock lock(mutex_);
    if (const auto held = held_.find(image.to_string()); held != held_.end()) user = held->second;
  }
  for (const auto& container : all()) {
    if (container->definition_now().image != image.to_string()) continue;
    const State state = container->state_now();
    *running = is_running(state) || state == State::Restarting;
    user = container->id;
    if (*running) break;
  }
  return user;
}

void ContainerSet::release_name(const std::string& name) {
  const MutexLock lock(mutex_);
  names_.erase(name);
}

Result<std::shared_ptr<Container>> ContainerSet::add(Definition definition) {
  auto container = std::make_shared<Container>(std::move(definition), RunState{});
  const std::string text = json::encode(container->definition_now());
  const std::string state = json::encode(container->run_now());
  TRY(database_.write(
      [&](meta::Transaction& transaction) -> Result<void> {
        TRY(transaction.put(kDefinitions, container->id, text));
        return transaction.put(kStates, container->id, state);
      },
      durability_of(*container)));
  const MutexLock lock(mutex_);
  by_id_[container->id] = container;
  return container;
}

Result<void> ContainerSet::rename(Container& container, const std::string& name) {
  std::string old;
  {
    const MutexLock lock(container.mutex);
    old = std::exchange(container.definition.name, name);
  }
  if (auto stored = store_definition(container); !stored.ok()) {
    const MutexLock lock(container.mutex);
    container.definition.name = old;
    return stored;
  }
  release_name(old);
  return {};
}

Result<void> ContainerSet::store_definition(Container& container) {
  const std::string text = json::encode(container.definition_now());
  return database_.write(
      [&](meta::Transaction& transaction) -> Result<void> {
        return transaction.put(kDefinitions, container.id, text);
      },
      durability_of(container));
}

void ContainerSet::store_state(Container& container) {
  const std::string text = json::encode(container.run_now());
  const auto stored = database_.write(
      [&](meta::Transaction& transaction) -> Result<void> {
        // A container that was removed meanwhile must not come back as half a record.
        if (!TRY(transaction.get(kDefinitions, container.id))) return {};
        return transaction.put(kStates, container.id, text);
      },
      meta::Durability::Relaxed);
  if (!stored.ok()) log::warning("state of container {}: {}", container.id, stored.error().message());
}

Result<void> ContainerSet::erase(Container& container) {
  TRY(database_.write(
      [&](meta::Transaction& transaction) -> Result<void> {
        TRY(transaction.erase(kDefinitions, container.id));
        return transaction.erase(kStates, container.id);
      },
      durability_of(container)));
  std::string name;
  {
    const MutexLock lock(container.mutex);
    name = container.definition.name;
  }
  const MutexLock lock(mutex_);
  by_id_.erase(container.id);
  names_.erase(name);
  return {};
}

}  // namespace skiff::engine
