#include "runtime/seccomp_listener.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "base/json.h"

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
  const sys::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("socket");
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (profile.listener_path.size() >= sizeof address.sun_path)
    return Error(Kind::InvalidArgument, "seccomp: listenerPath is too long");
  std::strcpy(address.sun_path, profile.listener_path.c_str());
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail_errno("seccomp: connect to {}", profile.listener_path);
  auto text = json::encode(
      ProcessState{state.oci_version, {"seccompFd"}, state.pid, profile.listener_metadata, state});
  iovec part = {text.data(), text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  cmsghdr* entry = CMSG_FIRSTHDR(&header);
  entry->cmsg_level = SOL_SOCKET;
  entry->cmsg_type = SCM_RIGHTS;
  entry->cmsg_len = CMSG_LEN(sizeof(int));
  const int fd = listener.get();
  std::memcpy(CMSG_DATA(entry), &fd, sizeof fd);
  if (::sendmsg(socket.get(), &header, MSG_NOSIGNAL) < 0)
    return fail_errno("seccomp: send to {}", profile.listener_path);
  return {};
}

}  // namespace skiff::runtime
