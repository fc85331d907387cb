#include "monitor/console_socket.h"

#include <fcntl.h>
#include <unistd.h>

#include "sys/file.h"
#include "sys/socket.h"

namespace skiff::monitor {

Result<ConsoleSocket> ConsoleSocket::create(const std::string& directory, const std::string& name) {
  auto folder = TRY(sys::open_file(directory, O_PATH | O_DIRECTORY));
  auto listener = TRY(sys::listen_streams(directory + "/" + name));
  return ConsoleSocket(std::move(folder), std::move(listener), name);
}

ConsoleSocket::~ConsoleSocket() {
  if (directory_) ::unlinkat(directory_.get(), name_.c_str(), 0);
}

std::string ConsoleSocket::path() const {
  return fmt::format("/proc/{}/fd/{}/{}", ::getpid(), directory_.get(), name_);
}

Result<sys::Fd> ConsoleSocket::receive() const {
  auto master = TRY_CONTEXT(sys::accept_descriptor(listener_), "the container's terminal");
  if (::isatty(master.get()) == 0)
    return fail(Kind::InvalidArgument, "the container's terminal: what the runtime sent is none");
  return master;
}

}  // namespace skiff::monitor
