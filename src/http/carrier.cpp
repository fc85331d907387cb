#include "http/carrier.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/strings.h"
#include "sys/file.h"

namespace skiff::http {
namespace {

constexpr std::chrono::seconds kPatience{
    5};  // with a program that closed the connection, and is about to end
constexpr std::size_t kMostWords = 4096;

}  // namespace

Result<std::pair<sys::Fd, Carrier>> Carrier::start(std::vector<std::string> command) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return fail_errno("socketpair");
  sys::Fd ours(ends[0]);
  const sys::Fd theirs(ends[1]);
  sys::Fd words(::memfd_create("words", MFD_CLOEXEC));
  if (!words) return fail_errno("memfd_create");
  sys::SpawnOptions options;
  options.program = command[0];
  options.search_path = true;
  options.arguments = command;
  options.standard_input = theirs.get();
  options.standard_output = theirs.get();
  options.standard_error = words.get();
  options.new_session = true;
  options.die_with_parent = true;
  auto process = TRY(sys::spawn(options));
  return std::pair(std::move(ours), Carrier(std::move(command), std::move(process), std::move(words)));
}

Error Carrier::failure() const {
  const auto ended = process_.wait_for(kPatience);
  std::string how = "has closed the connection";
  if (ended.ok() && *ended && WIFEXITED(**ended))
    how = fmt::format("has exited with exit status {}", WEXITSTATUS(**ended));
  else if (ended.ok() && *ended && WIFSIGNALED(**ended))
    how = fmt::format("has been ended by signal {}", WTERMSIG(**ended));
  std::string said(kMostWords, '\0');
  const ssize_t count = ::pread(words_.get(), said.data(), said.size(), 0);
  said.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return fail(Kind::Unavailable,
              "command [{}] {}, make sure the URL is valid, and Skiff or Docker is installed on the remote "
              "host: stderr={}",
              join(command_, " "), how, trim(said));
}

}  // namespace skiff::http
