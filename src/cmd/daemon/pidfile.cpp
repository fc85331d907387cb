#include "cmd/daemon/pidfile.h"

#include <signal.h>
#include <unistd.h>

#include "base/strings.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::daemon {

Result<Pidfile> Pidfile::create(const std::string& path) {
  if (const auto text = sys::read_file(path, 64); text.ok()) {
    const auto pid = parse_int(trim(*text));
    if (pid && *pid > 1 && *pid != ::getpid() && ::kill(static_cast<pid_t>(*pid), 0) == 0)
      return fail(Kind::Conflict,
                  "failed to start daemon, ensure skiffd is not running or delete {}: process with PID {} is "
                  "still running",
                  path, *pid);
  }
  TRY(sys::make_directories(std::string(sys::dir_name(path))));
  TRY(sys::replace_file(path, std::to_string(::getpid())));
  return Pidfile(path);
}

Pidfile::~Pidfile() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

}  // namespace skiff::daemon
