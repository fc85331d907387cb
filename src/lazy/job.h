#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "registry/client/settings.h"

/// What goes between the daemon and the process that serves the layers of a lazily pulled image. The process
/// is started with the job as a file and one end of a socket. It says kReady, or a Reply with an error. Then
/// a Request may come at any time, with the end of another socket, on which its Reply goes back; who does not
/// want it any more hangs up there. The daemon's end alone ends nothing.
namespace skiff::lazy {

inline constexpr const char* kServerName = "skiffd-lazy";
inline constexpr const char* kReady = "ready";
inline constexpr int kJobFd = 3;
inline constexpr int kControlFd = 4;

struct ServerJob {
  std::vector<std::string> directories;  ///< of the layers' snapshots, see place.h
  registry::Settings settings;
};
void describe(json::Fields& f, ServerJob& job);

/// "All bytes of the layer in `directory` are to be here."
struct Request {
  std::string directory;
  bool urgent = false;  ///< somebody waits for it
};
void describe(json::Fields& f, Request& request);

struct Reply {
  std::string error;  ///< "" when all went well
  int kind = 0;
};
void describe(json::Fields& f, Reply& reply);

}  // namespace skiff::lazy
