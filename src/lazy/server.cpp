#include "lazy/server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sys/file.h"
#include "sys/socket.h"
#include "sys/spawn.h"

namespace skiff::lazy {
namespace {

Result<sys::Fd> memory_file(std::string_view bytes) {
  sys::Fd file(::memfd_create("skiff-lazy-job", MFD_CLOEXEC));
  if (!file) return fail_errno("memfd_create");
  TRY(sys::write_all(file, bytes));
  if (::lseek(file.get(), 0, SEEK_SET) < 0) return fail_errno("seek");
  return file;
}

Error error_of(const Reply& reply) {
  const bool known = reply.kind >= 0 && reply.kind <= static_cast<int>(Kind::Internal);
  return {known ? static_cast<Kind>(reply.kind) : Kind::Internal, reply.error};
}

}  // namespace

Result<std::unique_ptr<Server>> Server::start(const ServerJob& job, const std::string& image) {
  const sys::Fd text = TRY(memory_file(json::encode(job)));
  auto [ours, theirs] = TRY(sys::packet_pair());
  sys::SpawnOptions options;
  options.program = "/proc/self/exe";
  options.arguments = {kServerName, image};
  options.new_session = true;
  options.keep = {{text.get(), kJobFd}, {theirs.get(), kControlFd}};
  const sys::Process process = TRY_CONTEXT(sys::spawn(options), "{}", kServerName);
  theirs.reset();
  // It leaves a child behind that is nobody's.
  TRY(process.wait());
  const auto said = sys::receive_packet(ours);
  if (!said.ok()) return fail(Kind::Unavailable, "{} for {} ended without a word", kServerName, image);
  if (said->bytes != kReady)
    return error_of(TRY(json::decode<Reply>(said->bytes))).with_context(fmt::format("serving {}", image));
  return std::unique_ptr<Server>(new Server(std::move(ours)));
}

bool Server::alive() const {
  pollfd entry{control_.get(), POLLIN, 0};
  return ::poll(&entry, 1, 0) == 0;
}

Result<void> Server::complete(const std::string& directory, bool urgent, const std::stop_token& stop) {
  auto [ours, theirs] = TRY(sys::packet_pair());
  TRY(sys::send_packet(control_, json::encode(Request{directory, urgent}), {theirs.get()}));
  theirs.reset();
  const sys::Fd stopped(::eventfd(0, EFD_CLOEXEC));
  if (!stopped) return fail_errno("eventfd");
  const std::stop_callback wake(stop, [&] {
    const std::uint64_t one = 1;
    (void)!::write(stopped.get(), &one, sizeof one);
  });
  // Should the process end before it reads the request, the other end goes with it.
  for (;;) {
    pollfd entries[2] = {{ours.get(), POLLIN, 0}, {stopped.get(), POLLIN, 0}};
    if (::poll(entries, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return fail_errno("poll");
    }
    if (entries[1].revents != 0) return Error(Kind::Cancelled, "context canceled");
    break;
  }
  const auto said = sys::receive_packet(ours);
  if (!said.ok()) return Error(Kind::Unavailable, "the process that served the layer has ended");
  const auto reply = TRY(json::decode<Reply>(said->bytes));
  if (!reply.error.empty()) return error_of(reply);
  return {};
}

}  // namespace skiff::lazy
