#include "registry/server/access_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <ctime>

#include "base/log.h"
#include "sys/file.h"

namespace skiff::registry::server {
namespace {

/// As Apache does it: quotes and backslashes with a backslash, other unusual bytes as \xhh.
std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out += {'\\', c};
    else if (byte < 0x20 || byte >= 0x7f)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  }
  return out;
}

std::string or_dash(std::string_view text) { return text.empty() ? "-" : escape(text); }

std::string moment(Time time) {
  const std::time_t seconds =
      std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[40];
  const auto size = std::strftime(text, sizeof text, "%d/%b/%Y:%H:%M:%S +0000", &parts);
  return {text, size};
}

}  // namespace

std::string format_access(const AccessRecord& record) {
  std::string user = or_dash(record.user);
  for (char& c : user)
    if (c == ' ') c = '_';
  return fmt::format("{} - {} [{}] \"{} {} HTTP/{}.{}\" {} {} \"{}\" \"{}\"\n", or_dash(record.peer), user,
                     moment(record.time), escape(record.method), escape(record.target),
                     record.http_version / 10, record.http_version % 10, record.status, record.bytes,
                     or_dash(record.referer), or_dash(record.agent));
}

Result<std::unique_ptr<AccessLog>> AccessLog::open(std::string path) {
  std::unique_ptr<AccessLog> out(new AccessLog(std::move(path)));
  TRY(out->reopen());
  return out;
}

Result<void> AccessLog::reopen() {
  auto file = path_ == "-" ? sys::Fd(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0))
                           : TRY(sys::open_file(path_, O_WRONLY | O_CREAT | O_APPEND, 0640));
  if (!file) return fail_errno("access log {}", path_);
  const MutexLock lock(mutex_);
  file_ = std::move(file);
  return {};
}

void AccessLog::write(const AccessRecord& record) {
  const std::string line = format_access(record);
  const MutexLock lock(mutex_);
  if (auto written = sys::write_all(file_, line); !written.ok())
    log::error("access log: {}", written.error().message());
}

}  // namespace skiff::registry::server
