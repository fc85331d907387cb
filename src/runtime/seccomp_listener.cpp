#include "runtime/seccomp_listener.h"

#include "base/json.h"
#include "sys/socket.h"

namespace skiff::runtime {
namespace {

struct ProcessState {
  std::string oci_version;
  std::vector<std::string> fds;
  int pid = 0;
  std::string metadata;
  spec::oci::State state;
};

void describe(json::Fields& f, ProcessState& process) {
  f("ociVersion", process.oci_version);
  f("fds", process.fds);
  f("pid", process.pid);
  f("metadata", process.metadata, json::Omit::Empty);
  f("state", process.state);
}

}  // namespace

Result<void> send_seccomp_listener(const spec::oci::Seccomp& profile, const spec::oci::State& state,
                                   const sys::Fd& listener) {
  if (profile.listener_path.empty())
    return Error(Kind::InvalidArgument, "seccomp: SCMP_ACT_NOTIFY needs a listenerPath");
  const auto socket = TRY_CONTEXT(sys::connect_stream(profile.listener_path), "seccomp");
  const auto text = json::encode(
      ProcessState{state.oci_version, {"seccompFd"}, state.pid, profile.listener_metadata, state});
  const int fds[] = {listener.get()};
  if (sys::send_with_fds(socket.get(), text, fds) < 0)
    return fail_errno("seccomp: send to {}", profile.listener_path);
  return {};
}

}  // namespace skiff::runtime
