#pragma once

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "sys/file.h"

namespace skiff::fuzz {

/// A new folder, in memory where the machine has such a file system: on a disk its journal takes most of the
/// time. It goes when the fuzzer ends by itself.
inline const std::string& scratch() {
  struct Folder {
    Folder() {
      if (!::mkdtemp(path.data())) std::abort();
    }
    ~Folder() { (void)sys::remove_tree(path); }
    std::string path =
        (::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp") + std::string("/skiff-fuzz-XXXXXX");
  };
  static const Folder folder;
  return folder.path;
}

}  // namespace skiff::fuzz
