#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "lazy/fuse_handler.h"
#include "sys/fd.h"

namespace skiff::lazy {

/// A mounted layer: /dev/fuse and the threads that answer what comes from it. Who unmounts it, even lazily
/// (umount2(2), MNT_DETACH), ends it once nobody uses it any more.
class FuseMount {
 public:
  /// Mounts `files` at the directory `place`, read-only; `root` as of FuseHandler. Unavailable where there is
  /// no /dev/fuse. Nobody is answered before serve().
  static Result<std::unique_ptr<FuseMount>> make(LayerFiles& files, const struct stat& root,
                                                 const std::string& place);
  ~FuseMount();
  FuseMount(const FuseMount&) = delete;
  FuseMount& operator=(const FuseMount&) = delete;

  void serve();
  /// Returns when nobody uses the mount any more.
  void wait();

 private:
  FuseMount(LayerFiles& files, const struct stat& root, sys::Fd device)
      : handler_(files, root), device_(std::move(device)) {}
  void answer_requests();

  FuseHandler handler_;
  const sys::Fd device_;
  std::stop_source stop_;
  std::vector<std::thread> threads_;
};

}  // namespace skiff::lazy
