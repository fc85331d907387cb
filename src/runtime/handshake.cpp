#include "runtime/handshake.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace skiff::runtime {
namespace {

struct StepText {
  Step step;
  const char* text;
  bool detail_follows;  ///< "<text> <detail>"
};

constexpr StepText kSteps[] = {
    {Step::Handshake, "talk to the runtime", true},
    {Step::JoinCgroup, "join the cgroup", true},
    {Step::JoinNamespace, "join namespace", true},
    {Step::BecomeRoot, "become root of the user namespace", false},
    {Step::UnshareCgroup, "create the cgroup namespace", false},
    {Step::TimeNamespace, "time namespace:", true},
    {Step::Loopback, "bring up the loopback interface", false},
    {Step::Session, "create a session", true},
    {Step::Hostname, "set the host name to", true},
    {Step::Domainname, "set the domain name to", true},
    {Step::Propagation, "set the propagation of the root mount", false},
    {Step::MountRoot, "mount the root file system", true},
    {Step::Mount, "mount", true},
    {Step::CreateDestination, "create mount destination", true},
    {Step::Bind, "bind mount", true},
    {Step::CopyUp, "copy the image's files up to", true},
    {Step::CgroupLink, "link cgroup controller", true},
    {Step::Device, "create device", true},
    {Step::DefaultLink, "create link", true},
    {Step::Console, "set up the console", true},
    {Step::MaskPath, "mask", true},
    {Step::ReadonlyPath, "make read-only", true},
    {Step::PivotRoot, "pivot_root", true},
    {Step::ReadonlyRoot, "make the root file system read-only", false},
    {Step::Sysctl, "write sysctl", true},
    {Step::OomScore, "set the OOM score", false},
    {Step::Label, "set the security label", true},
    {Step::Rlimit, "set rlimit", true},
    {Step::Scheduler, "set the scheduling of the process", true},
    {Step::WorkingDirectory, "chdir to cwd", true},
    {Step::Streams, "set up the standard streams", true},
    {Step::Seccomp, "load the seccomp filter", false},
    {Step::Groups, "set the groups", false},
    {Step::User, "set the user", true},
    {Step::Capabilities, "set the capabilities", true},
    {Step::NoNewPrivileges, "set no_new_privs", false},
    {Step::Personality, "set the personality", false},
    {Step::RootForHooks, "createContainer hooks do not find the root file system at", true},
};

std::string errno_text(int code) {
  std::string text = Error::from_errno("", code).message();
  if (const auto colon = text.find(": "); colon != std::string::npos) text.erase(0, colon + 2);
  return text;
}

/// NotFound and Forbidden are for the program only: they become the exit codes 127 and 126.
Kind set_up_kind(int code) {
  const Kind kind = Error::from_errno("", code).kind();
  return kind == Kind::NotFound || kind == Kind::Forbidden ? Kind::Internal : kind;
}

}  // namespace

std::string_view to_string(Message message) {
  switch (message) {
    case Message::CgroupWanted:
      return "cgroup-wanted";
    case Message::CgroupJoined:
      return "cgroup-joined";
    case Message::MappingsWanted:
      return "mappings-wanted";
    case Message::NamespacesReady:
      return "namespaces-ready";
    case Message::Console:
      return "console";
    case Message::SeccompListener:
      return "seccomp-listener";
    case Message::Warning:
      return "warning";
    case Message::Ready:
      return "ready";
    case Message::Failed:
      return "failed";
    case Message::MappingsWritten:
      return "mappings-written";
    case Message::HooksDone:
      return "hooks-done";
    case Message::Start:
      return "start";
  }
  return "unknown";
}

Error describe_failure(const Packet& packet) {
  const std::string detail(packet.detail, strnlen(packet.detail, sizeof packet.detail));
  const auto why = errno_text(packet.code);
  const auto kind = set_up_kind(packet.code);
  const auto error = [&](Kind k, std::string text) { return Error(k, std::move(text), packet.code); };
  switch (packet.step) {
    case Step::ProgramNotFound:
      return error(Kind::NotFound, fmt::format("exec: \"{}\": executable file not found in $PATH", detail));
    case Step::ProgramStat:
      return error(packet.code == ENOENT || packet.code == ENOTDIR ? Kind::NotFound : Kind::Forbidden,
                   fmt::format("exec: \"{}\": stat {}: {}", detail, detail, why));
    case Step::ProgramIsDirectory:
      return error(Kind::Forbidden, fmt::format("exec: \"{}\": is a directory: permission denied", detail));
    case Step::ProgramDenied:
      return error(Kind::Forbidden, fmt::format("exec: \"{}\": permission denied", detail));
    case Step::Execute:
      return error(packet.code == ENOENT ? Kind::NotFound : Kind::Forbidden,
                   fmt::format("exec {}: {}", detail, why));
    case Step::HookSetUp:
      return Error(Kind::Internal, fmt::format("error running {}: {}", detail, why), packet.code);
    case Step::Hook:
      return Error(Kind::Internal, "error running " + detail);
    case Step::WorkingDirectory:
      return error(kind, fmt::format("chdir to cwd (\"{}\") set in config.json failed: {}", detail, why));
    default:
      break;
  }
  for (const auto& known : kSteps) {
    if (known.step != packet.step) continue;
    const bool with_detail = known.detail_follows && !detail.empty();
    return error(
        kind, fmt::format("{}{}{}: {}", known.text, with_detail ? " " : "", with_detail ? detail : "", why));
  }
  return error(Kind::Internal, fmt::format("unknown step {}: {}", static_cast<int>(packet.step), why));
}

Result<Received> receive(const sys::Fd& socket) {
  Received received;
  iovec part = {&received.packet, sizeof received.packet};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header = {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  ssize_t size = 0;
  do size = ::recvmsg(socket.get(), &header, MSG_CMSG_CLOEXEC);
  while (size < 0 && errno == EINTR);
  if (size < 0 && errno != ECONNRESET) return fail_errno("receive from the container's first process");
  if (size <= 0) return Error(Kind::Unavailable, "connection closed");
  if (const auto* entry = CMSG_FIRSTHDR(&header); entry && entry->cmsg_type == SCM_RIGHTS) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(entry), sizeof fd);
    received.fd = sys::Fd(fd);
  }
  if (static_cast<std::size_t>(size) != sizeof(Packet))
    return fail(Kind::Internal, "the container's first process sent {} bytes instead of a message", size);
  return received;
}

Result<void> send(const sys::Fd& socket, Message message) {
  Packet packet;
  packet.message = message;
  if (::send(socket.get(), &packet, sizeof packet, MSG_NOSIGNAL) < 0)
    return fail_errno("send {} to the container's first process", to_string(message));
  return {};
}

}  // namespace skiff::runtime
