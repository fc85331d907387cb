#include "image/transfer/unpack.h"

#include <fcntl.h>

#include <cerrno>
#include <thread>

namespace skiff::image {
namespace {

constexpr int kPipeSize = 1 << 20;
constexpr int kMostBeginnings = 3;

/// Moves what comes of a download into a pipe, page by page and without copying. Conflict when the download
/// began anew.
Result<void> pump(Download& download, int generation, const sys::Fd& out, const std::stop_token& stop) {
  loff_t at = 0;
  for (;;) {
    const auto here = TRY(download.wait_beyond(static_cast<std::uint64_t>(at), generation, stop));
    if (here == static_cast<std::uint64_t>(at)) return {};
    while (static_cast<std::uint64_t>(at) < here) {
      const ssize_t moved = ::splice(download.file(), &at, out.get(), nullptr,
                                     here - static_cast<std::uint64_t>(at), SPLICE_F_MOVE);
      if (moved < 0 && errno == EINTR) continue;
      if (moved < 0) return fail_errno("move a layer to its worker");
      if (moved == 0) return Error(Kind::Conflict, "the download began anew");
      download.unpacked(static_cast<std::uint64_t>(at));
    }
  }
}

struct Attempt {
  Result<LooseLayer> layer;
  Result<void> pumped;
};

Attempt attempt(Store& store, Download& download, const std::stop_token& stop) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {fail_errno("pipe"), {}};
  sys::Fd out(ends[0]);
  sys::Fd in(ends[1]);
  ::fcntl(in.get(), F_SETPIPE_SZ, kPipeSize);  // smaller is only slower
  Result<void> pumped;
  const int generation = download.state().generation;
  std::thread thread([&] {
    pumped = pump(download, generation, in, stop);
    in.reset();
  });
  auto layer = unpack_layer(store, out);
  out.reset();  // a pump that still writes ends here
  thread.join();
  return {std::move(layer), std::move(pumped)};
}

}  // namespace

Result<LooseLayer> unpack(Store& store, Download& download, const std::stop_token& stop) {
  for (int beginning = 1;; ++beginning) {
    auto [layer, pumped] = attempt(store, download, stop);
    // A full disk, and a layer beyond the limits, are their own reasons; everything else may come of bytes
    // that turn out to be wrong.
    if (!layer.ok() && layer.error().kind() == Kind::Exhausted) {
      download.used();  // what came takes room, too
      return layer.error().with_context(
          fmt::format("failed to register layer: {}", download.blob().digest.to_string()));
    }
    const auto verified = download.wait_done(stop);
    const bool anew = !pumped.ok() && pumped.error().kind() == Kind::Conflict;
    if (layer.ok() && verified.ok() && pumped.ok()) return std::move(layer);
    if (!verified.ok()) return verified.error();
    if (anew && beginning < kMostBeginnings) continue;
    if (!layer.ok()) {
      download.used();  // whole, and yet no layer: to keep it helps nobody
      return layer.error().with_context(
          fmt::format("failed to register layer: {}", download.blob().digest.to_string()));
    }
    return pumped.error();
  }
}

}  // namespace skiff::image
