#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <thread>

#include "base/log.h"
#include "base/undo.h"
#include "lazy/blob_cache.h"
#include "lazy/confine.h"
#include "lazy/fuse_mount.h"
#include "lazy/layer_files.h"
#include "lazy/place.h"
#include "lazy/server.h"
#include "snapshot/served.h"
#include "sys/file.h"
#include "sys/socket.h"

namespace skiff::lazy {
namespace {

using Clock = std::chrono::steady_clock;

/// What nobody waits for leaves the network to what somebody does.
constexpr std::chrono::milliseconds kYield{50};
constexpr int kMostYields = 20;  ///< but not for ever

/// The daemon shows it once it is told that all is ready.
std::string coming_place(const std::string& directory) { return directory + "/" + snapshot::kComingPlace; }

/// A served layer, in the order in which its parts stand on each other.
struct Served {
  std::string directory;
  LazyNote note;
  std::unique_ptr<RangeSource> source;
  std::unique_ptr<BlobCache> cache;
  std::unique_ptr<LayerFiles> files;
  std::unique_ptr<FuseMount> mount;

  std::string name() const { return fmt::format("layer {} of {}", note.blob.to_string(), note.image); }
};

Result<std::unique_ptr<Served>> open_layer(const std::string& directory, const registry::Settings& settings) {
  auto layer = std::make_unique<Served>();
  layer->directory = directory;
  layer->note = TRY(read_note(directory));
  const auto& note = layer->note;
  const auto size = static_cast<std::uint64_t>(note.size);
  const auto reference = TRY(spec::Reference::parse(note.repository));
  layer->source = registry_source(reference, note.blob, note.credentials, settings);
  layer->cache =
      TRY(BlobCache::open(directory + "/" + kBlobNote, directory + "/" + kMapNote, size, *layer->source));
  auto index = TRY(archive::decode_index(TRY(sys::read_file(directory + "/" + kIndexNote)), size));
  layer->files = std::make_unique<LayerFiles>(
      std::move(index), *layer->cache,
      [name = layer->name()](const std::string& sentence) { log::error("{}: {}", name, sentence); });
  struct stat root {};
  if (::stat((directory + "/fs").c_str(), &root) != 0) return fail_errno("stat {}/fs", directory);
  layer->mount = TRY(FuseMount::make(*layer->files, root, coming_place(directory)));
  return layer;
}

bool hung_up(const sys::Fd& socket) {
  pollfd entry{socket.get(), POLLIN, 0};
  return ::poll(&entry, 1, 0) != 0;
}

Error cancelled() { return {Kind::Cancelled, "context canceled"}; }

Result<void> fetch_all(Served& layer, bool urgent, const sys::Fd& asker) {
  for (;;) {
    for (int i = 0; !urgent && i < kMostYields && Clock::now() - layer.cache->last_wanted() < 2 * kYield; ++i)
      std::this_thread::sleep_for(kYield);
    if (hung_up(asker)) return cancelled();
    if (!TRY(layer.cache->fetch_some({}))) return {};
  }
}

/// What a power loss or a bad network left in the file is fetched anew, once.
Result<void> complete(Served& layer, bool urgent, const sys::Fd& asker) {
  for (int attempt = 1; attempt <= 2; ++attempt) {
    TRY(fetch_all(layer, urgent, asker));
    if (TRY(layer.cache->verify(layer.note.blob))) return {};
    layer.cache->forget(0, layer.cache->size());
  }
  return fail(Kind::DataLoss, "filesystem layer verification failed for digest {}",
              layer.note.blob.to_string());
}

/// Takes the mounts down again that were made before something failed.
Result<std::vector<std::unique_ptr<Served>>> open_layers(const ServerJob& job) {
  std::vector<std::unique_ptr<Served>> layers;
  UndoStack undo;
  for (const auto& directory : job.directories) {
    layers.push_back(TRY(open_layer(directory, job.settings)));
    undo.add([place = coming_place(directory)] { ::umount2(place.c_str(), MNT_DETACH); });
  }
  undo.dismiss();
  return layers;
}

Result<void> fulfil(const std::vector<std::unique_ptr<Served>>& layers, const Request& request,
                    const sys::Fd& asker) {
  for (const auto& layer : layers)
    if (layer->directory == request.directory) {
      auto done = complete(*layer, request.urgent, asker);
      return done.ok() ? done : done.error().with_context(layer->name());
    }
  return fail(Kind::NotFound, "no layer in {} is served here", request.directory);
}

/// Hears the daemon until it hangs up.
void hear(const std::vector<std::unique_ptr<Served>>& layers, const sys::Fd& control) {
  for (;;) {
    auto packet = sys::receive_packet(control);
    if (!packet.ok()) return;
    const auto request = json::decode<Request>(packet->bytes);
    if (!request.ok() || packet->fds.size() != 1) continue;
    std::thread([&layers, request = *request, asker = std::move(packet->fds.front())] {
      const auto done = fulfil(layers, request, asker);
      Reply reply;
      if (!done.ok()) reply = {done.error().message(), static_cast<int>(done.error().kind())};
      // Who does not listen any more does not want it.
      (void)sys::send_packet(asker, json::encode(reply));
    }).detach();
  }
}

Result<void> serve(const sys::Fd& control) {
  ServerJob job;
  {
    const sys::Fd text(kJobFd);
    job = TRY(json::decode<ServerJob>(TRY(sys::read_all(text))));
  }
  const auto layers = TRY(open_layers(job));
  UndoStack undo;
  for (const auto& layer : layers)
    undo.add([place = coming_place(layer->directory)] { ::umount2(place.c_str(), MNT_DETACH); });
  // The mounts can be taken down no more after this: that is the daemon's affair.
  TRY(confine_server());
  for (const auto& layer : layers) layer->mount->serve();
  if (auto told = sys::send_packet(control, kReady); !told.ok()) log::warning("{}", told.error().message());
  undo.dismiss();
  std::thread([&] { hear(layers, control); }).detach();
  for (const auto& layer : layers) layer->mount->wait();
  // Threads may still fetch what nobody can read any more.
  ::_exit(0);
}

}  // namespace

void server_main(int argc, char** argv) {
  if (argc < 1 || std::string_view(argv[0]) != kServerName) return;
  // Nobody's child, so that nobody has to wait for its end.
  const pid_t child = ::fork();
  if (child != 0) ::_exit(child > 0 ? 0 : 1);
  ::umask(0077);
  (void)std::signal(SIGPIPE, SIG_IGN);
  ::mallopt(M_ARENA_MAX, 2);
  (void)!::chdir("/");
  for (const int fd : {kJobFd, kControlFd}) (void)::fcntl(fd, F_SETFD, FD_CLOEXEC);
  const sys::Fd control(kControlFd);
  const auto served = serve(control);
  if (!served.ok()) {
    const Reply reply{served.error().message(), static_cast<int>(served.error().kind())};
    (void)sys::send_packet(control, json::encode(reply));
  }
  ::_exit(1);
}

}  // namespace skiff::lazy
