#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "lazy/job.h"
#include "sys/fd.h"

/// The process that serves the files of lazily pulled layers: the daemon's program, executed anew under the
/// name "skiffd-lazy", so that what a container reads does not end with the daemon. One for the layers of a
/// pull.
namespace skiff::lazy {

/// To be called first thing in main(). When the program was started as such a process, serves until nobody
/// uses its mounts any more, and never returns.
void server_main(int argc, char** argv);

/// The daemon's end of one of them. Dropping it ends nothing.
class Server {
 public:
  /// Mounts each layer in its place: when this returns, files can be read there. Unavailable where there is
  /// no /dev/fuse. `image` is what the process is called by.
  static Result<std::unique_ptr<Server>> start(const ServerJob& job, const std::string& image);

  /// False once the process has ended.
  bool alive() const;
  /// Waits until all bytes of the layer in `directory` are in its note-lazy-blob, and have the digest that
  /// its note tells. DataLoss when they have not, also fetched anew; Unavailable also when the process has
  /// ended; Cancelled. Thread-safe.
  Result<void> complete(const std::string& directory, bool urgent, const std::stop_token& stop);

 private:
  explicit Server(sys::Fd control) : control_(std::move(control)) {}
  const sys::Fd control_;
};

}  // namespace skiff::lazy
