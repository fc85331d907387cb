#include "cmd/oci/image.h"

#include <sched.h>

#include "base/strings.h"
#include "cmd/oci/commands.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::oci {
namespace {

using runtime::criu::CgroupMode;

Result<CgroupMode> cgroup_mode(const std::string& text) {
  if (text.empty()) return CgroupMode::Default;
  if (text == "soft") return CgroupMode::Soft;
  if (text == "full") return CgroupMode::Full;
  if (text == "strict") return CgroupMode::Strict;
  if (text == "ignore") return CgroupMode::Ignore;
  return Error(Kind::InvalidArgument, "invalid manage-cgroups-mode value");
}

}  // namespace

Result<runtime::Image> image_of(const Flags& flags) {
  const auto here = sys::current_directory();
  runtime::Image image;
  const auto path = flags.get("image-path");
  image.directory = sys::join_path(here, path.empty() ? "checkpoint" : path);
  if (const auto work = flags.get("work-path"); !work.empty())
    image.work_directory = sys::join_path(here, work);
  auto& wishes = image.wishes;
  wishes.tcp_established = flags.has("tcp-established");
  wishes.tcp_close = flags.has("tcp-close");
  wishes.external_unix_sockets = flags.has("ext-unix-sk");
  wishes.shell_job = flags.has("shell-job");
  wishes.file_locks = flags.has("file-locks");
  wishes.auto_dedup = flags.has("auto-dedup");
  wishes.lazy_pages = flags.has("lazy-pages");
  wishes.cgroups = TRY(cgroup_mode(flags.get("manage-cgroups-mode")));
  for (const auto& name : flags.all("empty-ns"))
    if (name != "network") return fail(Kind::InvalidArgument, "namespace {} is not supported", quote(name));
  // Links and addresses of a network namespace are the caller's affair, so it is always an empty one.
  wishes.empty_namespaces = CLONE_NEWNET;
  return image;
}

void quote_log(const Error& error, const std::string& path) {
  if (error.message().find("log file: ") == std::string::npos) return;
  const auto text = sys::read_file(path);
  if (!text) return warn(text.error().message());
  for (const auto& line : split(*text, '\n'))
    if (line.find("Error") != std::string::npos) warn(fmt::format("{}: {}", sys::base_name(path), line));
}

}  // namespace skiff::oci
