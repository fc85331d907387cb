#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "base/thread.h"
#include "engine/parts.h"
#include "runner/runner.h"
#include "spec/docker/container.h"

namespace skiff::engine {

/// Where a container stands; docs/engine.md draws the ways between them.
enum class State : std::uint8_t { Created, Running, Paused, Restarting, Removing, Exited, Dead };
std::string_view to_string(State state);
std::optional<State> parse_state(std::string_view text);
inline bool is_running(State state) { return state == State::Running || state == State::Paused; }

/// What the user last asked for; restart policies ask for it.
enum class Intent : std::uint8_t { Run, Stop };

/// A mount as it was settled at create.
struct ContainerMount {
  spec::docker::MountPoint point;
  bool copy_up = false;      ///< a fresh volume takes the image's content over
  bool anonymous = false;    ///< a volume that goes with the container
  bool from_mounts = false;  ///< came by --mount: shown there, not in Binds
  std::string subpath;       ///< inside the volume
  bool non_recursive = false;
  bool read_only_non_recursive = false;
  bool create_source = false;  ///< -v: a missing host directory is made
  std::vector<std::string> tmpfs_options;
};

/// What create settled; changed only by rename, update, connect and disconnect. Stored with Durability::Full
/// unless it removes itself at its end (docs/decisions/0009).
struct Definition {
  std::string id;
  std::string name;
  Time created{};
  std::string image;  ///< id
  std::string path;
  std::vector<std::string> args;
  spec::docker::ContainerConfig config;
  spec::docker::HostConfig host;
  std::vector<ContainerMount> mounts;
  std::map<std::string, spec::docker::EndpointSettings> endpoints;  ///< as asked for, by network name
};

/// What happens to it; stored with Durability::Relaxed, because monitors and exit records know it too.
struct RunState {
  State state = State::Created;
  Intent intent = Intent::Stop;
  int pid = 0;
  int exit_code = 0;
  bool oom_killed = false;
  std::string error;
  Time started_at{};
  Time finished_at{};
  int restart_count = 0;
  spec::docker::PortMap ports;                 ///< while it runs
  std::optional<spec::docker::Health> health;  ///< of containers with a check
  int unhealthy_restarts = 0;                  ///< in a row, since it was last healthy
  bool volumes_too = false;                    ///< of a removal that was begun: with its anonymous volumes
};

void describe(json::Fields& f, ContainerMount& mount);
void describe(json::Fields& f, Definition& definition);
void describe(json::Fields& f, RunState& state);

/// One container. Two locks: `operation` is held through a whole start, exit, removal or change of networks,
/// so that those follow one another; `mutex` guards the fields and is never held across I/O. Take `operation`
/// first.
class Container {
 public:
  Container(Definition settled, RunState state)
      : id(settled.id), definition(std::move(settled)), run(std::move(state)) {}

  const std::string id;
  Mutex operation;

  Mutex mutex;
  std::condition_variable_any changed;  ///< after every change of `run` or `exits`
  Definition definition GUARDED_BY(mutex);
  RunState run GUARDED_BY(mutex);
  std::uint64_t exits GUARDED_BY(mutex) = 0;  ///< counts ends, for wait(next-exit)
  bool removed GUARDED_BY(mutex) =
      false;  ///< its record is gone; the object lives as long as somebody looks at it
  std::shared_ptr<runner::Task> task GUARDED_BY(mutex);
  std::vector<runner::Attachment> pending GUARDED_BY(mutex);  ///< attached before the start
  Time running_since GUARDED_BY(mutex){};
  std::chrono::milliseconds restart_delay GUARDED_BY(mutex){0};
  std::uint64_t restart_timer GUARDED_BY(mutex) = 0;
  std::vector<int> wake_fds GUARDED_BY(mutex);  ///< of EndSignals: written to when the container ends

  /// Tells everybody who waits that the container ended.
  void announce_end() REQUIRES(mutex);

  Definition definition_now() {
    const MutexLock lock(mutex);
    return definition;
  }
  RunState run_now() {
    const MutexLock lock(mutex);
    return run;
  }
  State state_now() {
    const MutexLock lock(mutex);
    return run.state;
  }
  std::shared_ptr<runner::Task> task_now() {
    const MutexLock lock(mutex);
    return task;
  }
};

/// The task of a running container. Conflict: "container ID is not running".
Result<std::shared_ptr<runner::Task>> running_task(Container& container);

/// All containers, by id and name, together with their records. Thread-safe.
class ContainerSet {
 public:
  explicit ContainerSet(meta::Database& database) : database_(database) {}

  /// Reads all records; damaged ones are an error, because they would be lost otherwise.
  Result<void> load();

  /// By name (with or without "/"), id or unique id prefix. NotFound: "No such container: x". InvalidArgument
  /// for a prefix of several.
  Result<std::shared_ptr<Container>> find(std::string_view name);
  std::shared_ptr<Container> by_id(const std::string& id);
  std::vector<std::shared_ptr<Container>> all();  ///< newest first
  std::size_t size();

  /// Takes a name for a container to be, and gives it back when dropped without keep().
  class Reservation {
   public:
    Reservation() = default;
    Reservation(ContainerSet& set, std::string name) : set_(&set), name_(std::move(name)) {}
    Reservation(Reservation&& other) noexcept
        : set_(std::exchange(other.set_, nullptr)), name_(std::move(other.name_)) {}
    Reservation& operator=(Reservation&& other) noexcept {
      std::swap(set_, other.set_);
      std::swap(name_, other.name_);
      return *this;
    }
    ~Reservation();
    const std::string& name() const { return name_; }
    void keep() { set_ = nullptr; }

   private:
    ContainerSet* set_ = nullptr;
    std::string name_;
  };
  /// Conflict with Docker's sentence when it is taken; "" takes a random free one.
  Result<Reservation> reserve(const std::string& name, const std::string& id);

  /// Says that a container is being made of an image, until it is there or given up.
  class ImageHold {
   public:
    ImageHold(ContainerSet& set, std::multimap<std::string, std::string>::iterator place)
        : set_(set), place_(place) {}
    ImageHold(const ImageHold&) = delete;
    ImageHold& operator=(const ImageHold&) = delete;
    ~ImageHold();

   private:
    ContainerSet& set_;
    std::multimap<std::string, std::string>::iterator place_;
  };
  /// The image must be looked up once more afterwards: it may have gone just before.
  ImageHold hold_image(const std::string& image, const std::string& container);
  /// The id of a container that is, or is being, made of an image, a running one if there is any; "" without.
  std::string user_of(const spec::Digest& image, bool* running);

  /// Stores a new container's records in one transaction and shows it. Its name is reserved already.
  Result<std::shared_ptr<Container>> add(Definition definition);
  /// Changes name: reserved by the caller; stores the new definition.
  Result<void> rename(Container& container, const std::string& name);
  Result<void> store_definition(Container& container);
  /// Stores the run state; a failure is logged, for the truth is with the monitor.
  void store_state(Container& container);
  /// Forgets the container: records, name, and the object for all who look it up later.
  Result<void> erase(Container& container);

 private:
  void release_name(const std::string& name);

  meta::Database& database_;
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<Container>> by_id_ GUARDED_BY(mutex_);
  std::map<std::string, std::string, std::less<>> names_ GUARDED_BY(mutex_);  ///< name -> id
  std::multimap<std::string, std::string> held_ GUARDED_BY(mutex_);           ///< image -> container to be
};

/// A name as Docker allows it: [a-zA-Z0-9][a-zA-Z0-9_.-]+. InvalidArgument with Docker's sentence.
Result<void> check_name(std::string_view name);

}  // namespace skiff::engine
