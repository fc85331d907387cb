#include "cmd/oci/log.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/strings.h"
#include "cmd/oci/commands.h"
#include "sys/file.h"

namespace skiff::oci {
namespace {

LogOptions log_options;

struct LogLine {
  std::string level;
  std::string msg;
  std::string time;
};
void describe(json::Fields& f, LogLine& line) {
  f("level", line.level);
  f("msg", line.msg);
  f("time", line.time);
}

}  // namespace

Result<void> set_log(const LogOptions& options) {
  if (options.format != "text" && options.format != "json")
    return fail(Kind::InvalidArgument, "invalid log-format: {}", options.format);
  if (!options.path.empty()) TRY(sys::open_file(options.path, O_WRONLY | O_APPEND | O_CREAT, 0644));
  log_options = options;
  return {};
}

void write_log(std::string_view level, const std::string& text) {
  const LogLine line{std::string(level), text,
                     format_rfc3339(std::chrono::floor<std::chrono::seconds>(now()))};
  const auto out = log_options.format == "json"
                       ? json::encode(line) + "\n"
                       : fmt::format("time={} level={} msg={}\n", quote(line.time), level, quote(text));
  if (log_options.path.empty()) {
    (void)!::write(2, out.data(), out.size());
    return;
  }
  // Opened each time: a container that is set up meanwhile inherits nothing.
  if (const auto fd = sys::open_file(log_options.path, O_WRONLY | O_APPEND | O_CREAT, 0644))
    (void)sys::write_all(*fd, out);
  if (level != "error") return;
  const auto plain = text + "\n";
  (void)!::write(2, plain.data(), plain.size());
}

Result<void> print(std::string_view text) {
  while (!text.empty()) {
    const ssize_t size = ::write(1, text.data(), text.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fail_errno("write to the standard output");
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return {};
}

void warn(const std::string& text) { write_log("warning", text); }
void debug(const std::string& text) {
  if (log_options.debug) write_log("debug", text);
}

}  // namespace skiff::oci
