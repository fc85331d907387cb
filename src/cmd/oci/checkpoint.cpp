#include "runtime/checkpoint.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strings.h"
#include "cmd/oci/clean_up.h"
#include "cmd/oci/commands.h"
#include "cmd/oci/image.h"
#include "cmd/oci/record.h"
#include "sys/file.h"

namespace skiff::oci {
namespace {

Result<runtime::criu::PageServer> page_server(const std::string& text) {
  // The last colon: an IPv6 address stands in brackets.
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size())
    return Error(Kind::InvalidArgument, "Use --page-server ADDRESS:PORT to specify page server");
  auto address = text.substr(0, colon);
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  const auto port = parse_int(std::string_view(text).substr(colon + 1));
  if (!port || *port < 0 || *port > UINT16_MAX) return Error(Kind::InvalidArgument, "Invalid port number");
  return runtime::criu::PageServer{address, static_cast<int>(*port)};
}

/// Relative to the images, as it will stand in them.
Result<void> check_parent(const runtime::Image& image) {
  const auto& parent = image.wishes.parent_images;
  if (parent.empty()) return {};
  if (parent.starts_with('/')) return Error(Kind::InvalidArgument, "--parent-path must be relative");
  const auto path = image.directory + "/" + parent;
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0) return fail_errno("invalid --parent-path: stat {}", path);
  if (!S_ISDIR(info.st_mode))
    return Error::from_errno(fmt::format("invalid --parent-path: stat {}", path), ENOTDIR);
  return {};
}

/// A descriptor that the caller has opened for us to write to.
Result<int> status_descriptor(const Flags& flags) {
  const int fd = static_cast<int>(parse_int(flags.get("status-fd", "-1")).value_or(-1));
  if (fd < 0 || !flags.has("lazy-pages")) return -1;
  const int mode = ::fcntl(fd, F_GETFL);
  if (mode < 0) return fail_errno("invalid --status-fd argument {}", fd);
  if ((mode & O_ACCMODE) == O_RDONLY)
    return fail(Kind::InvalidArgument, "invalid --status-fd argument {}: not writable", fd);
  return fd;
}

/// All of the command line, before anything is made.
Result<runtime::Checkpoint> wanted_by(const Flags& flags) {
  runtime::Checkpoint wanted;
  wanted.status_fd = TRY(status_descriptor(flags));
  wanted.image = TRY(image_of(flags));
  wanted.pre_dump = flags.has("pre-dump");
  auto& wishes = wanted.image.wishes;
  wishes.parent_images = flags.get("parent-path");
  wishes.leave_running = flags.has("leave-running");
  wishes.tcp_skip_in_flight = flags.has("tcp-skip-in-flight");
  wishes.link_remap = flags.has("link-remap");
  if (flags.has("page-server")) wishes.page_server = TRY(page_server(flags.get("page-server")));
  TRY(sys::make_directories(wanted.image.directory, 0700));
  TRY(check_parent(wanted.image));
  return wanted;
}

}  // namespace

Result<int> checkpoint(const Global& global, const Flags& flags) {
  const Home home(global.root, flags.arguments().front());
  if (::geteuid() != 0) warn("checkpoint is untested with rootless containers");
  const auto record = TRY(home.load());
  if (const auto status = status_of(home, record); status == Status::Created || status == Status::Stopped)
    return fail(Kind::Conflict, "Container cannot be checkpointed in {} state", to_string(status));
  auto wanted = TRY(wanted_by(flags));
  wanted.descriptors = record.external_descriptors;
  const auto config = TRY(home.load_config());
  const auto process = TRY(process_of(record));
  const auto cgroup = TRY(cgroup_of(record));
  const auto saved = runtime::checkpoint(wanted, config, record.rootfs, process, cgroup);
  if (!saved) {
    quote_log(saved.error(), runtime::criu_log(wanted.image, false));
    return saved.error();
  }
  // What lives on in the image is not there any more.
  if (wanted.pre_dump || wanted.image.wishes.leave_running) return 0;
  if (const auto gone = clean_up(home, record); !gone) warn(gone.error().message());
  return 0;
}

}  // namespace skiff::oci
