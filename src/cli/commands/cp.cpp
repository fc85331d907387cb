#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <cstring>

#include "base/strings.h"
#include "cli/cli.h"
#include "cli/commands/commands.h"
#include "cli/demux.h"
#include "cli/specs/mounts.h"
#include "cli/tar_stream.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::cli {

namespace {

struct Place {
  std::string container;  ///< empty: this machine
  std::string path;
};

/// "container:path"; a local path may hold a colon when it starts with "/" or ".".
Place parse_place(const std::string& text) {
  const auto colon = text.find(':');
  if (text.starts_with('/') || text.starts_with('.') || colon == std::string::npos || colon == 0)
    return {"", text};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

bool ends_as_directory(std::string_view path) {
  return path.ends_with('/') || path.ends_with("/.") || path == "." || path == "..";
}
bool copies_content(std::string_view path) { return path.ends_with("/.") || path == "."; }

Error no_such(std::string_view path) {
  return fail(Kind::NotFound, "lstat {}: no such file or directory", path);
}

/// The last name of a path; "." for the root, which has none.
std::string last_name(const std::string& path) {
  const std::string name(sys::base_name(sys::clean_path(path)));
  return name.empty() ? "." : name;
}

/// Where an archive whose top is `name` goes: into a directory (under its own name, or content only), or as
/// the file of another name.
struct Target {
  std::string directory;
  std::string name;  ///< "." when only the content is wanted
};

class CpCommand : public Command {
 public:
  CpCommand() {
    flags.boolean(archive_, "archive", 'a', "Archive mode (copy all uid/gid information)");
    flags.boolean(follow_, "follow-link", 'L', "Always follow symbol link in SRC_PATH");
    flags.boolean(quiet_, "quiet", 'q',
                  "Suppress progress output during copy. Progress output is automatically suppressed if no "
                  "terminal is attached");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    if (arguments[0].empty()) return Error(Kind::InvalidArgument, "source can not be empty");
    if (arguments[1].empty()) return Error(Kind::InvalidArgument, "destination can not be empty");
    const Place from = parse_place(arguments[0]);
    const Place to = parse_place(arguments[1]);
    if (from.container.empty() && to.container.empty())
      return Error(Kind::InvalidArgument, "must specify at least one container source");
    if (!from.container.empty() && !to.container.empty())
      return Error(Kind::InvalidArgument, "copying between containers is not supported");
    if (from.container.empty())
      TRY(copy_in(cli, from.path, to));
    else
      TRY(copy_out(cli, from, to.path));
    return 0;
  }

 private:
  Result<void> copy_out(Cli& cli, const Place& from, const std::string& to) {
    auto* engine = TRY(cli.engine());
    if (from.path.empty()) return Error(Kind::InvalidArgument, "bad parameter: path cannot be empty");
    std::string source = sys::join_path("/", from.path);
    if (ends_as_directory(from.path) && source != "/") source += copies_content(from.path) ? "/." : "/";
    if (follow_) {
      auto stat = engine->stat_path(from.container, source);
      if (stat.ok() && !stat->link_target.empty())
        source = sys::join_path(sys::dir_name(source), stat->link_target);
    }
    auto stream = TRY(engine->copy_from(from.container, source));
    const TarInput input = [&](char* buffer, std::size_t size) { return stream.read(buffer, size); };
    if (to == "-") return pass_through(input);
    const auto stat = TRY(client::read_path_stat(stream.fields()));
    const bool is_directory = (stat.mode >> 31) != 0;
    const std::string name = stat.name == "/" ? "." : stat.name;
    const Target target = TRY(local_target(to, name, is_directory, copies_content(from.path)));
    const std::string top = copies_content(from.path) ? "." : name;
    TRY(unpack_tar(input, target.directory, top, target.name, archive_ && ::geteuid() == 0));
    if (!quiet_ && ::isatty(2)) cli.err.print("Successfully copied to {}\n", absolute_path(to));
    return {};
  }

  static Result<void> pass_through(const TarInput& input) {
    std::string buffer(256 << 10, '\0');
    while (const std::size_t got = TRY(input(buffer.data(), buffer.size())))
      write_fully(1, std::string_view(buffer).substr(0, got));
    return {};
  }

  /// Where a file written to `path` lands.
  static std::string behind_links(std::string path) {
    for (int i = 0; i < 40; ++i) {
      char target[PATH_MAX];
      const ssize_t length = ::readlink(path.c_str(), target, sizeof target);
      if (length <= 0) break;
      path = sys::join_path(sys::dir_name(path), std::string_view(target, static_cast<std::size_t>(length)));
    }
    return path;
  }

  static Result<Target> local_target(const std::string& to, const std::string& name, bool source_is_directory,
                                     bool content_only) {
    struct stat info {};
    const std::string path = behind_links(absolute_path(to));
    const bool exists = ::stat(path.c_str(), &info) == 0;
    if (exists && S_ISDIR(info.st_mode))
      return Target{path, content_only && source_is_directory ? "." : name};
    if (exists && source_is_directory) return Error(Kind::Conflict, "cannot copy directory");
    if (ends_as_directory(to) && !source_is_directory)
      return exists ? Error(Kind::Conflict, "not a directory") : Error(Kind::NotFound, "no such directory");
    const std::string parent(sys::dir_name(path));
    if (::stat(parent.c_str(), &info) != 0 || !S_ISDIR(info.st_mode))
      return fail(Kind::NotFound, "invalid output path: directory {} does not exist", quote(parent));
    return Target{parent, last_name(path)};
  }

  Result<void> copy_in(Cli& cli, const std::string& from, const Place& to) {
    auto* engine = TRY(cli.engine());
    std::string target = sys::join_path("/", to.path);
    auto stat = engine->stat_path(to.container, target);
    if (!stat.ok() && stat.error().message().find("Could not find the file") == std::string::npos)
      return std::move(stat).error();
    for (int i = 0; i < 40 && stat.ok() && !stat->link_target.empty(); ++i) {
      target = sys::join_path(sys::dir_name(target), stat->link_target);
      stat = engine->stat_path(to.container, target);
    }
    const bool target_is_directory = stat.ok() && (stat->mode >> 31) != 0;
    if (from == "-") {
      if (!target_is_directory)
        return fail(Kind::Conflict, "destination \"{}:{}\" must be a directory", to.container, to.path);
      return engine->copy_to(to.container, target, archive_,
                             [](char* buffer, std::size_t size) -> Result<std::size_t> {
                               const ssize_t got = ::read(0, buffer, size);
                               if (got < 0) return fail_errno("read standard input");
                               return static_cast<std::size_t>(got);
                             });
    }
    const std::string source = TRY(local_source(from));
    struct stat info {};
    if (::lstat(source.c_str(), &info) != 0) return no_such(source);
    const bool source_is_directory = S_ISDIR(info.st_mode);
    Target place;
    if (target_is_directory) {
      place = {target, source_is_directory && copies_content(from) ? "." : last_name(source)};
    } else if (stat.ok() && source_is_directory) {
      return Error(Kind::Conflict, "cannot copy directory");
    } else {
      if (ends_as_directory(to.path) && !source_is_directory)
        return Error(Kind::NotFound, "no such directory");
      place = {std::string(sys::dir_name(target)), last_name(target)};
    }
    const auto packed = std::make_shared<TreeArchive>(source, place.name);
    TRY(engine->copy_to(to.container, place.directory, archive_,
                        [packed](char* buffer, std::size_t size) { return packed->read(buffer, size); }));
    if (!quiet_ && ::isatty(2)) cli.err.print("Successfully copied to {}:{}\n", to.container, to.path);
    return {};
  }

  /// The absolute source; with --follow-link, or a trailing slash, what a link leads to.
  Result<std::string> local_source(const std::string& from) const {
    const std::string path = absolute_path(from);
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) return no_such(path);
    if (ends_as_directory(from) && ::stat(path.c_str(), &info) == 0 && !S_ISDIR(info.st_mode))
      return Error(Kind::Conflict, "not a directory");
    if (!follow_ && !ends_as_directory(from)) return path;
    char resolved[PATH_MAX];
    if (!::realpath(path.c_str(), resolved)) return no_such(path);
    return std::string(resolved);
  }

  bool archive_ = false, follow_ = false, quiet_ = false;
};

}  // namespace

std::unique_ptr<Command> make_cp() { return make_command<CpCommand>(); }

}  // namespace skiff::cli
