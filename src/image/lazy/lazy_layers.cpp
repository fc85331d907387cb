#include "image/lazy/lazy_layers.h"

#include <unistd.h>

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
constexpr int kMostAttempts = 3;
constexpr std::chrono::seconds kLongestPause{600};

}  // namespace

LazyLayers::LazyLayers(Store& store, BlobLedger& ledger, const registry::Settings& settings, bool background)
    : store_(store), ledger_(ledger), settings_(settings), background_(background) {
  store_.snapshots().set_serve([this](const auto& directories) { return serve(directories); });
  store_.set_whole([this](const std::string& snapshot) { return make_whole(snapshot); });
  thread_ = std::thread([this] { tend(stop_.get_token()); });
}

LazyLayers::~LazyLayers() {
  stop_.request_stop();
  {
    const MutexLock lock(mutex_);
    changed_.notify_all();
  }
  thread_.join();
  store_.set_whole({});
  store_.snapshots().set_serve({});
}

bool LazyLayers::possible() { return ::access("/dev/fuse", R_OK | W_OK) == 0; }

Result<std::optional<LooseLayer>> LazyLayers::prepare(const spec::oci::Descriptor& blob,
                                                      registry::Repository& repository,
                                                      const lazy::LazyNote& note,
                                                      const std::stop_token& stop) {
  const auto place = find_contents(blob);
  if (!place) return std::optional<LooseLayer>();
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
    if (group.empty() || note->group == group) found.push_back({info.key, info.directory, *std::move(note)});
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

/// A layer that gets its files, or goes, while the process starts is none of its layers any more.
Result<std::shared_ptr<lazy::Server>> LazyLayers::start(const lazy::LazyNote& note) {
  for (int attempt = 1;; ++attempt) {
    auto server = start_once(note);
    if (server.ok() || server.error().kind() != Kind::NotFound || attempt == kMostAttempts) return server;
  }
}

Result<std::shared_ptr<lazy::Server>> LazyLayers::start_once(const lazy::LazyNote& note) {
  lazy::ServerJob job;
  job.settings = settings_;
  for (const auto& member : TRY(members(note.group))) {
    TRY(snapshot::remove_served_place(member.directory));
    TRY(snapshot::make_served_place(member.directory));
    job.directories.push_back(member.directory);
  }
  return std::shared_ptr<lazy::Server>(TRY(lazy::Server::start(job, note.image)));
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
  auto complete = TRY(server_of(note))->complete(info.directory, urgent, stop);
  if (!complete.ok() && complete.error().kind() != Kind::DataLoss) return complete;
  {
    MutexLock lock(mutex_);
    while (filling_.contains(snapshot)) lock.wait(changed_);
    filling_.insert(snapshot);
  }
  UndoStack done;
  done.add([&] {
    const MutexLock lock(mutex_);
    filling_.erase(snapshot);
    changed_.notify_all();
  });
  info = TRY(store_.snapshots().info(snapshot));
  if (!info.served) return {};  // another one was faster
  auto unpacked = complete.ok() ? unpack(info, note) : complete;
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
  log::info("layer {} of {} is here as a whole", note.blob.to_string(), note.image);
  const auto name = TRY(spec::Reference::parse(note.repository));
  TRY(ledger_.add(note.diff_id, {note.blob, note.size, note.media_type, name.domain(), name.path()}));
  const MutexLock lock(mutex_);
  retiring_[info.key] = Clock::now() + kGrace;
  woken_ = true;
  changed_.notify_all();
  return {};
}

void LazyLayers::wake() {
  const MutexLock lock(mutex_);
  woken_ = true;
  changed_.notify_all();
}

Result<void> LazyLayers::renew(const Image& image, const registry::Credentials& credentials) {
  for (const auto& layer : image.layers) {
    const auto info = TRY(store_.snapshots().info(layer.snapshot));
    if (!info.served) continue;
    auto note = TRY(lazy::read_note(info.directory));
    note.credentials = credentials;
    TRY(sys::write_file_atomic(info.directory + "/" + lazy::kNote, json::encode(note), 0600));
    const MutexLock lock(mutex_);
    groups_[note.group].server = nullptr;  // the next one is started with these; this one's users keep it
    later_.erase(layer.snapshot);
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
  if (!all.ok()) {
    log::warning("{}", all.error().message());
    return false;
  }
  for (const auto& member : *all) {
    {
      const MutexLock lock(mutex_);
      const auto later = later_.find(member.snapshot);
      if (later != later_.end() && later->second.when > Clock::now()) continue;
    }
    // A layer without an image goes soon, and damage has been told.
    const auto info = store_.snapshots().info(member.snapshot);
    if (!info.ok() || !info->damage.empty()) continue;
    const auto filled = fill(member.snapshot, false, stop);
    if (stop.stop_requested()) return false;
    const MutexLock lock(mutex_);
    if (filled.ok() || filled.error().kind() == Kind::NotFound) {
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
  return false;
}

void LazyLayers::tend(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    retire();
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
