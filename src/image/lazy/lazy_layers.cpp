#include "image/lazy/lazy_layers.h"

#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "base/undo.h"
#include "image/lazy/contents_fetch.h"
#include "snapshot/served.h"
#include "sys/file.h"

namespace skiff::image {
namespace {

/// Between the path of a mount that was given away and its use.
constexpr std::chrono::seconds kGrace{10};
constexpr std::chrono::seconds kFirstPause{5};
constexpr std::chrono::milliseconds kLook{
    100};  ///< at whether a pull that waits for its turn is still wanted
constexpr int kMostAttempts = 3;
constexpr std::chrono::seconds kLongestPause{600};

}  // namespace

LazyLayers::LazyLayers(Store& store, BlobLedger& ledger, const registry::Settings& settings, bool background)
    : store_(store), ledger_(ledger), settings_(settings), background_(background) {
  store_.snapshots().set_serve([this](const auto& directories) { return serve(directories); });
  store_.set_whole([this](const std::string& snapshot) { return make_whole(snapshot, stop_.get_token()); });
  thread_ = std::thread([this] { tend(stop_.get_token()); });
}

LazyLayers::~LazyLayers() {
  stop();
  thread_.join();
  store_.set_whole({});
  store_.snapshots().set_serve({});
}

void LazyLayers::stop() {
  stop_.request_stop();
  const MutexLock lock(mutex_);
  changed_.notify_all();
}

bool LazyLayers::possible() { return ::access("/dev/fuse", R_OK | W_OK) == 0; }

Result<std::optional<LooseLayer>> LazyLayers::prepare(const spec::oci::Descriptor& blob,
                                                      registry::Repository& repository,
                                                      const lazy::LazyNote& note,
                                                      const std::stop_token& stop) {
  const auto place = find_contents(blob);
  if (!place) return std::optional<LooseLayer>();
  while (!tables_.try_acquire_for(kLook))
    if (stop.stop_requested()) return Error(Kind::Cancelled, "context canceled");
  UndoStack turn;
  turn.add([this] { tables_.release(); });
  auto loose = fetch_contents(store_, repository, blob, *place, note, stop);
  if (loose.ok()) return std::optional<LooseLayer>(*std::move(loose));
  if (loose.error().kind() == Kind::Cancelled) return loose.error();
  log::info("layer {} of {} is pulled whole: {}", blob.digest.to_string(), note.image,
            loose.error().message());
  return std::optional<LooseLayer>();
}

/// All that are served, or those of one pull.
Result<std::vector<LazyLayers::Member>> LazyLayers::members(std::string_view group) {
  std::vector<Member> found;
  for (const auto& info : TRY(store_.snapshots().list())) {
    if (!info.served) continue;
    auto note = lazy::read_note(info.directory);
    if (!note.ok()) {
      // Filled or removed meanwhile, or damaged: whoever needs it will hear.
      if (note.error().kind() != Kind::NotFound) log::warning("{}", note.error().message());
      continue;
    }
    if (group.empty() || note->group == group)
      found.push_back({info.key, info.directory, !info.damage.empty(), *std::move(note)});
  }
  return found;
}

Result<void> LazyLayers::serve(const std::vector<std::string>& directories) {
  std::set<std::string> done;
  for (const auto& directory : directories) {
    const auto note = lazy::read_note(directory);
    // Its files came meanwhile.
    if (!note.ok() && note.error().kind() == Kind::NotFound) continue;
    TRY(note);
    if (done.insert(note->group).second) TRY(server_of(*note));
  }
  return {};
}

/// The process that serves a pull's layers, started if need be by one thread alone.
Result<std::shared_ptr<lazy::Server>> LazyLayers::server_of(const lazy::LazyNote& note) {
  {
    MutexLock lock(mutex_);
    while (groups_[note.group].starting) lock.wait(changed_);
    Group& group = groups_[note.group];
    if (group.server && group.server->alive()) return group.server;
    if (group.server) log::warning("the process that served {} has ended; starting another", note.image);
    group.starting = true;
  }
  auto server = start(note);
  const MutexLock lock(mutex_);
  Group& group = groups_[note.group];
  group.starting = false;
  group.server = server.ok() ? *server : nullptr;
  changed_.notify_all();
  return server;
}

/// A layer that goes while the process starts is none of its layers any more.
Result<std::shared_ptr<lazy::Server>> LazyLayers::start(const lazy::LazyNote& note) {
  for (int attempt = 1;; ++attempt) {
    auto server = start_once(note);
    if (server.ok() || server.error().kind() != Kind::NotFound || attempt == kMostAttempts) return server;
  }
}

Result<std::shared_ptr<lazy::Server>> LazyLayers::start_once(const lazy::LazyNote& note) {
  lazy::ServerJob job;
  job.settings = settings_;
  const auto all = TRY(members(note.group));
  UndoStack undo;
  for (const auto& member : all) {
    undo.add([&] {
      if (auto dropped = snapshot::drop_coming_place(member.directory); !dropped.ok())
        log::warning("{}", dropped.error().message());
    });
    TRY(snapshot::make_served_place(member.directory));
    job.directories.push_back(member.directory);
  }
  std::shared_ptr<lazy::Server> server = TRY(lazy::Server::start(job, note.image));
  for (const auto& member : all) {
    TRY(snapshot::show_served_place(member.directory));
    // Its files came meanwhile, and what showed it until then may have been taken down already.
    if (!TRY(store_.snapshots().info(member.snapshot)).served) retire_later(member.snapshot);
  }
  undo.dismiss();
  return server;
}

void LazyLayers::retire_later(const std::string& snapshot) {
  const MutexLock lock(mutex_);
  retiring_[snapshot] = Clock::now() + kGrace;
  woken_ = true;
  changed_.notify_all();
}

/// Whoever changes what a served layer is: one at a time. The caller gives the turn back.
void LazyLayers::take_turn(const std::string& snapshot) {
  MutexLock lock(mutex_);
  while (turns_.contains(snapshot)) lock.wait(changed_);
  turns_.insert(snapshot);
}

void LazyLayers::end_turn(const std::string& snapshot) {
  const MutexLock lock(mutex_);
  turns_.erase(snapshot);
  changed_.notify_all();
}

Result<void> LazyLayers::make_whole(const std::string& snapshot, const std::stop_token& stop) {
  return fill(snapshot, true, stop);
}

/// The bytes may come for several who want them at once; one of them unpacks.
Result<void> LazyLayers::fill(const std::string& snapshot, bool urgent, const std::stop_token& stop) {
  auto info = TRY(store_.snapshots().info(snapshot));
  if (!info.served) return {};
  const auto read = lazy::read_note(info.directory);
  if (!read.ok()) return TRY(store_.snapshots().info(snapshot)).served ? read.error() : success();
  const lazy::LazyNote& note = *read;
  // Bytes that are not the blob say nothing of the layer: somebody on the way sent them. They are asked for
  // again the next time.
  TRY(TRY(server_of(note))->complete(info.directory, urgent, stop));
  take_turn(snapshot);
  UndoStack done;
  done.add([&] { end_turn(snapshot); });
  info = TRY(store_.snapshots().info(snapshot));
  if (!info.served) return {};  // another one was faster
  auto unpacked = unpack(info, note);
  if (!unpacked.ok() && unpacked.error().kind() == Kind::DataLoss)
    TRY(store_.snapshots().set_damage(snapshot, unpacked.error().message()));
  return unpacked;
}

Result<void> LazyLayers::unpack(const snapshot::Info& info, const lazy::LazyNote& note) {
  const sys::Fd blob = TRY(sys::open_file(fmt::format("{}/{}", info.directory, lazy::kBlobNote), O_RDONLY));
  auto loose = unpack_layer(store_, blob);
  if (!loose.ok() && loose.error().kind() == Kind::InvalidArgument)
    return fail(Kind::DataLoss, "layer {}: {}", note.blob.to_string(), loose.error().message());
  if (!loose.ok()) return loose.error();
  if (loose->diff_id != note.diff_id)
    return fail(Kind::DataLoss, "layer {} holds {}, not {}", note.blob.to_string(),
                loose->diff_id.to_string(), note.diff_id.to_string());
  TRY(store_.snapshots().fill(info.key, loose->folder()));
  retire_later(info.key);
  log::info("layer {} of {} is here as a whole", note.blob.to_string(), note.image);
  // A push that does not know the blob sends it again.
  if (auto noted = remember_blob(note); !noted.ok()) log::warning("{}", noted.error().message());
  return {};
}

Result<void> LazyLayers::remember_blob(const lazy::LazyNote& note) {
  const auto name = TRY(spec::Reference::parse(note.repository));
  return ledger_.add(note.diff_id, {note.blob, note.size, note.media_type, name.domain(), name.path()});
}

void LazyLayers::wake() {
  const MutexLock lock(mutex_);
  woken_ = true;
  changed_.notify_all();
}

/// A credential is for the registry that the user named with it.
Result<std::optional<std::string>> LazyLayers::renew_layer(const std::string& snapshot,
                                                           const lazy::LazyNote& wanted) {
  take_turn(snapshot);
  UndoStack done;
  done.add([&] { end_turn(snapshot); });
  std::optional<std::string> changed;
  const auto info = TRY(store_.snapshots().info(snapshot));
  if (!info.served) return changed;
  auto note = TRY(lazy::read_note(info.directory));
  if (note.repository != wanted.repository) return changed;
  {
    const MutexLock lock(mutex_);
    later_.erase(snapshot);
  }
  const std::string before = json::encode(note);
  note.credentials = wanted.credentials;
  const std::string after = json::encode(note);
  if (before == after) return changed;
  TRY(sys::write_file_atomic(info.directory + "/" + lazy::kNote, after, 0600));
  changed = note.group;
  return changed;
}

Result<void> LazyLayers::renew(const Image& image, const lazy::LazyNote& wanted) {
  std::set<std::string> changed;
  for (const auto& layer : image.layers) {
    const auto group = renew_layer(layer.snapshot, wanted);
    // It goes, with its image.
    if (!group.ok() && group.error().kind() == Kind::NotFound) continue;
    if (TRY(group)) changed.insert(**group);
  }
  for (const auto& name : changed) {
    MutexLock lock(mutex_);
    // One that is being started may have read the notes before.
    while (groups_[name].starting) lock.wait(changed_);
    // The next one is started with these, and takes this one's place.
    groups_[name].server = nullptr;
  }
  wake();
  return {};
}

/// Takes down the mounts that nobody is given any more.
void LazyLayers::retire() {
  std::vector<std::string> due;
  {
    const MutexLock lock(mutex_);
    for (auto at = retiring_.begin(); at != retiring_.end();) {
      if (at->second > Clock::now()) {
        ++at;
        continue;
      }
      due.push_back(at->first);
      at = retiring_.erase(at);
    }
  }
  for (const auto& snapshot : due) {
    auto ended = store_.snapshots().end_serving(snapshot);
    if (!ended.ok() && ended.error().kind() != Kind::NotFound) log::warning("{}", ended.error().message());
  }
}

/// Fetches the next layer that is not to be tried later; false when there is none.
bool LazyLayers::fetch_one(const std::stop_token& stop) {
  const auto all = members();
  if (!all.ok()) log::warning("{}", all.error().message());
  std::vector<const Member*> wanted;  // damage has been told
  if (all.ok())
    for (const auto& member : *all)
      if (!member.damaged) wanted.push_back(&member);
  {
    const MutexLock lock(mutex_);
    // Nobody is to be woken for what is not to be fetched any more.
    std::erase_if(later_, [&](const auto& entry) {
      return std::none_of(wanted.begin(), wanted.end(),
                          [&](const Member* member) { return member->snapshot == entry.first; });
    });
    std::erase_if(wanted, [&](const Member* member) {
      const auto later = later_.find(member->snapshot);
      return later != later_.end() && later->second.when > Clock::now();
    });
  }
  if (wanted.empty()) return false;
  const Member& member = *wanted.front();
  const auto filled = fill(member.snapshot, false, stop);
  if (stop.stop_requested()) return false;
  // It went with its image, or somebody else brought its files.
  const auto info = store_.snapshots().info(member.snapshot);
  const bool over = filled.ok() || (info.ok() ? !info->served : info.error().kind() == Kind::NotFound);
  const MutexLock lock(mutex_);
  if (over) {
    later_.erase(member.snapshot);
    return true;
  }
  Later& later = later_[member.snapshot];
  later.pause = std::min(std::max(2 * later.pause, kFirstPause), kLongestPause);
  later.when = Clock::now() + later.pause;
  log::warning("layer {} of {}: {}; trying again in {} s", member.note.blob.to_string(), member.note.image,
               filled.error().message(), later.pause.count());
  return true;
}

/// Each keeps a descriptor, and pulls come and go.
void LazyLayers::forget_groups() {
  const MutexLock lock(mutex_);
  std::erase_if(groups_, [](const auto& entry) {
    const Group& group = entry.second;
    return !group.starting && (!group.server || !group.server->alive());
  });
}

void LazyLayers::tend(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    retire();
    forget_groups();
    if (background_ && fetch_one(stop)) continue;
    MutexLock lock(mutex_);
    auto next = Clock::now() + kLongestPause;
    for (const auto& [snapshot, when] : retiring_) next = std::min(next, when);
    if (background_)
      for (const auto& [snapshot, later] : later_) next = std::min(next, later.when);
    while (!woken_ && !stop.stop_requested() && lock.wait_until(changed_, next)) continue;
    woken_ = false;
  }
}

}  // namespace skiff::image
