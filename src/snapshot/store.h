#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "meta/database.h"
#include "spec/digest.h"
#include "spec/mount.h"

namespace skiff::snapshot {

enum class State : std::uint8_t {
  Active,     ///< writable: a container's or a build step's own layer
  Committed,  ///< never changes again; can be a parent
};

struct Info {
  std::string key;
  State state = State::Active;
  std::string parent;                    ///< key; "" at the bottom
  std::optional<spec::Digest> chain_id;  ///< of Committed ones, once the layer's digest is known
  std::uint64_t bytes = 0;               ///< of a Committed one's own layer, as `docker image ls` counts
  std::string damage;                    ///< what set_damage() said of it, or ""
  bool served = false;                   ///< its files are not here yet, see adopt_served()
  std::string directory = {};            ///< the folder in which its files and notes are
};

/// Where the files of a served snapshot are shown, in its folder.
inline constexpr const char* kServedPlace = "lazy/files";

/// Sees to it that the files of served snapshots, whose folders these are, can be read at kServedPlace.
/// Called without a lock of the store's.
using Serve = std::function<Result<void>(const std::vector<std::string>& directories)>;

/// What a mount of an Active snapshot makes of fsync(2) by those who write through it.
enum class Syncs : std::uint8_t {
  Honoured,
  Ignored,  ///< and taking the mount down writes nothing back either: for what a power loss may take
};

/// Trees of files as layers on top of each other. A snapshot has an opaque key chosen by the caller. The life
/// of one:
///
///     prepare("c1", parent) -> Active, written to through its mounts -> commit("c1", "l1") -> Committed
///     prepare("c2", "l1") -> ... -> remove("c2")
///
/// Mount values are returned, never acted on: nothing is mounted in the host's namespace. Thread-safe.
/// Errors: NotFound for an unknown key, Conflict for a key in use or a parent that still has children,
/// DataLoss for a parent whose folder is gone.
class Store {
 public:
  static Result<std::unique_ptr<Store>> open(const std::string& root, meta::Database& database);
  virtual ~Store() = default;

  /// A writable snapshot on top of the Committed `parent` ("" for an empty tree).
  virtual Result<std::vector<spec::Mount>> prepare(const std::string& key, const std::string& parent) = 0;
  /// The mounts that show `key`: writable for Active ones, read-only for Committed ones. Destination "".
  /// Those that ignore syncs are good for one mounting: ask again for the next.
  virtual Result<std::vector<spec::Mount>> mounts(const std::string& key, Syncs syncs = Syncs::Honoured) = 0;
  /// Read-only mounts that show an Active snapshot beside those that write to it. What changes meanwhile may
  /// be seen or not.
  virtual Result<std::vector<spec::Mount>> frozen(const std::string& key) = 0;
  /// The folder that holds only this snapshot's own files (overlay's upper directory), for diff and direct
  /// apply.
  virtual Result<std::string> layer_directory(const std::string& key) = 0;
  /// The path of a file beside those of the snapshot, for what its maker wants to know of it later: it goes
  /// with the snapshot, and sync() makes it safe as well. Whether it is there is the caller's affair.
  virtual Result<std::string> note(const std::string& key, std::string_view name) = 0;
  /// Turns Active `key` into Committed `committed`. Its bytes are on disk when this returns (one sync of the
  /// file system is left to whoever commits the image's name: sync()).
  virtual Result<void> commit(const std::string& key, const std::string& committed) = 0;
  /// Records what a Committed snapshot turned out to be, so that find_chain() finds it. A second snapshot of
  /// the same chain is fine.
  virtual Result<void> set_chain(const std::string& committed, const spec::Digest& chain_id,
                                 std::uint64_t bytes) = 0;
  /// Only what is sound() down to the bottom is found, and not served.
  virtual Result<std::optional<std::string>> find_chain(const spec::Digest& chain_id) = 0;

  /// Notes in what way a Committed snapshot's files are no longer what they were, or with "" that they are.
  virtual Result<void> set_damage(const std::string& key, const std::string& damage) = 0;
  /// DataLoss when a snapshot's damage is noted, or its folder is gone: a glance, which reads none of its
  /// files.
  virtual Result<void> sound(const std::string& key) = 0;
  /// Gives the Committed `key` the files of `with`, a Committed snapshot of the same layer, whatever stands
  /// on it; `with` has the others then, and is its caller's to remove. What was noted of `key` is forgotten.
  /// `idle` are the Active snapshots that nobody has mounted, and nobody mounts meanwhile: Conflict names
  /// another one that stands on `key`. Safe against power loss when it returns: before that, either files.
  virtual Result<void> exchange(const std::string& key, const std::string& with,
                                const std::set<std::string>& idle) = 0;

  virtual Result<Info> info(const std::string& key) = 0;
  virtual Result<std::vector<Info>> list() = 0;
  /// Takes it out of sight at once; its files are deleted behind the caller's back, also after a restart.
  virtual Result<void> remove(const std::string& key) = 0;

  /// An empty folder on the store's file system, in which folders for adopt() can be made. It is the caller's
  /// until discard(), and no longer there after a restart.
  virtual Result<std::string> scratch() = 0;
  /// Makes a Committed snapshot of a folder in a scratch folder, which holds the files as "fs" and notes as
  /// "note-<name>", on top of `parent`. The folder is taken away from where it was. InvalidArgument when it
  /// is none, or a link.
  virtual Result<void> adopt(const std::string& folder, const std::string& committed,
                             const std::string& parent) = 0;
  virtual void discard(const std::string& scratch) = 0;

  /// As adopt(), of a folder whose "fs" is empty: the snapshot's files are served by a process that mounts
  /// them at kServedPlace, until fill() brings them. Everything that shows them asks `serve` first. What such
  /// a snapshot holds was not compared with its chain id, so that nobody finds it by that.
  virtual Result<void> adopt_served(const std::string& folder, const std::string& committed,
                                    const std::string& parent) = 0;
  /// Gives a served snapshot its files: those of a folder as of adopt(), which is taken away from where it
  /// was. Safe against power loss when it returns. Whoever shows it from now on shows those; what was mounted
  /// before stays until end_serving(). Conflict for one that is not served (any more).
  virtual Result<void> fill(const std::string& key, const std::string& folder) = 0;
  /// Takes down what serves a snapshot; see remove_served_place().
  virtual Result<void> end_serving(const std::string& key) = 0;
  /// To be said before several threads use the store. Without it served snapshots cannot be shown.
  virtual void set_serve(Serve serve) = 0;

  /// Makes everything written into snapshots so far safe against power loss (syncfs(2)).
  virtual Result<void> sync() = 0;
};

}  // namespace skiff::snapshot
