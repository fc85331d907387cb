#include "lazy/fuse_mount.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"
#include "sys/file.h"

namespace skiff::lazy {
namespace {

/// A thread that waits for the network keeps nobody from what is here.
constexpr int kThreads = 8;
/// The least that the kernel takes is 8192 (FUSE_MIN_READ_BUFFER).
constexpr std::size_t kBufferSize = 64 << 10;

}  // namespace

Result<std::unique_ptr<FuseMount>> FuseMount::make(LayerFiles& files, const struct stat& root,
                                                   const std::string& place) {
  sys::Fd device(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (!device) return fail(Kind::Unavailable, "/dev/fuse: {}", std::strerror(errno));
  const std::string options =
      fmt::format("fd={},rootmode={:o},user_id=0,group_id=0,allow_other,default_permissions", device.get(),
                  root.st_mode & S_IFMT);
  const unsigned long flags = MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOATIME;
  if (::mount("skiff-layer", place.c_str(), "fuse.skiff", flags, options.c_str()) != 0)
    return fail_errno("mount {}", place);
  return std::unique_ptr<FuseMount>(new FuseMount(files, root, std::move(device)));
}

FuseMount::~FuseMount() {
  stop_.request_stop();
  for (auto& thread : threads_) thread.join();
}

void FuseMount::serve() {
  for (int i = 0; i < kThreads; ++i) threads_.emplace_back([this] { answer_requests(); });
}

void FuseMount::wait() {
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

void FuseMount::answer_requests() {
  std::string buffer(kBufferSize, '\0');
  for (;;) {
    const ssize_t count = ::read(device_.get(), buffer.data(), buffer.size());
    // ENOENT: whoever asked was interrupted meanwhile.
    if (count < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT)) continue;
    if (count < 0) {
      if (errno != ENODEV) log::error("/dev/fuse: {}", std::strerror(errno));
      return;
    }
    const std::string out = handler_.handle(
        std::string_view(buffer).substr(0, static_cast<std::size_t>(count)), stop_.get_token());
    if (out.empty()) continue;
    if (::write(device_.get(), out.data(), out.size()) < 0 && errno != ENOENT && errno != ENODEV)
      log::error("/dev/fuse: {}", std::strerror(errno));
  }
}

}  // namespace skiff::lazy
