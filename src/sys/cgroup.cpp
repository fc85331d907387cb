#include "sys/cgroup.h"

#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/strings.h"
#include "base/undo.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::sys {
namespace {

constexpr int kRemoveAttempts = 200;
constexpr useconds_t kRemovePauseMicroseconds = 500;
constexpr int kFreezeAttempts = 400;
constexpr int kFreezePauseMilliseconds = 5;

Result<bool> is_mounted(const std::string& path, bool unified) {
  struct statfs info = {};
  if (::statfs(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR || errno == EACCES) return false;
    return fail_errno("look at {}", path);
  }
  return info.f_type ==
         static_cast<decltype(info.f_type)>(unified ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC);
}

/// Looks for a hierarchy in the mount table, for machines that mount it in unusual places.
std::string search_mount_table(const CgroupHierarchy& wanted) {
  auto table = read_file("/proc/self/mountinfo");
  if (!table) return {};
  for (const auto& line : split(*table, '\n')) {
    const auto dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    const auto left = split(line.substr(0, dash), ' ');
    const auto right = split(line.substr(dash + 3), ' ');
    if (left.size() < 5 || right.size() < 3) continue;
    if (wanted.unified && right[0] == "cgroup2") return left[4];
    if (wanted.unified || right[0] != "cgroup") continue;
    const auto options = split(right[2], ',');
    const auto has = [&](const std::string& option) {
      return std::find(options.begin(), options.end(), option) != options.end();
    };
    if (wanted.controllers.empty() ? has("name=" + wanted.name)
                                   : std::all_of(wanted.controllers.begin(), wanted.controllers.end(), has))
      return left[4];
  }
  return {};
}

/// The mount point of a hierarchy, first where everybody has it.
Result<std::string> find_root(const std::string& mount, const CgroupHierarchy& hierarchy) {
  std::vector<std::string> places;
  if (hierarchy.unified) {
    places = {mount, mount + "/unified"};
  } else if (hierarchy.controllers.empty()) {
    places = {mount + "/" + hierarchy.name};
  } else {
    places = {mount + "/" + join(hierarchy.controllers, ",")};
    if (hierarchy.controllers.size() > 1) places.push_back(mount + "/" + hierarchy.controllers.front());
  }
  for (const auto& place : places)
    if (TRY(is_mounted(place, hierarchy.unified))) return place;
  return std::string();
}

Result<void> write_value(const std::string& path, std::string_view value) {
  auto fd = TRY(open_file(path, O_WRONLY));
  return write_all(fd, value);
}

/// A version 1 cpuset without cpus and mems takes no process: they are copied down from the parent.
Result<void> inherit_cpuset(const std::string& parent, const std::string& child) {
  for (const char* file : {"/cpuset.cpus", "/cpuset.mems"}) {
    if (!trim(TRY(read_file(child + file))).empty()) continue;
    const auto inherited = TRY(read_file(parent + file));
    TRY(write_existing(child + file, trim(inherited)));
  }
  return {};
}

/// Lets children of `directory` use the version 2 controllers it has. Each is enabled alone, because one that
/// is refused (a threaded or busy parent) would refuse them all.
void enable_controllers(const std::string& directory) {
  auto offered = read_file(directory + "/cgroup.controllers");
  auto enabled = read_file(directory + "/cgroup.subtree_control");
  if (!offered || !enabled) return;
  const auto have = split(std::string(trim(*enabled)), ' ');
  for (const auto& controller : split(std::string(trim(*offered)), ' ')) {
    if (controller.empty() || std::find(have.begin(), have.end(), controller) != have.end()) continue;
    (void)write_value(directory + "/cgroup.subtree_control", "+" + controller);
  }
}

/// Whether there are cgroups below: each counts as a link, as in any file system of the kernel's own.
bool has_children(const std::string& directory) {
  constexpr nlink_t kLinksOfLeaf = 2;
  struct stat info = {};
  return ::stat(directory.c_str(), &info) == 0 && info.st_nlink != kLinksOfLeaf;
}

void collect_processes(const std::string& directory, std::set<pid_t>& pids) {
  if (auto text = read_file(directory + "/cgroup.procs")) {
    for (const auto& line : split(*text, '\n'))
      if (const auto pid = parse_int(line)) pids.insert(static_cast<pid_t>(*pid));
  }
  if (!has_children(directory)) return;
  auto names = list_directory(directory);
  if (!names) return;
  for (const auto& name : *names) {
    struct stat info = {};
    const auto below = directory + "/" + name;
    if (::lstat(below.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) collect_processes(below, pids);
  }
}

/// rmdir of a cgroup and of those below it, deepest first. 0 or an errno.
int remove_directory(const std::string& directory) {
  if (::rmdir(directory.c_str()) == 0 || errno == ENOENT) return 0;
  if (const int code = errno; code != EBUSY && code != ENOTEMPTY)
    return exists(directory) ? code : 0;  // a read-only mount refuses before it looks
  auto names = list_directory(directory);
  if (!names) return names.error().code() == ENOENT ? 0 : names.error().code();
  for (const auto& name : *names) {
    struct stat info = {};
    const auto below = directory + "/" + name;
    if (::lstat(below.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) continue;
    if (const int code = remove_directory(below)) return code;
  }
  return ::rmdir(directory.c_str()) == 0 || errno == ENOENT ? 0 : errno;
}

}  // namespace

Result<CgroupLayout> CgroupLayout::detect(const std::string& mount) {
  const auto text = TRY(read_file("/proc/self/cgroup"));
  std::vector<CgroupHierarchy> found;
  for (const auto& line : split(text, '\n')) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    CgroupHierarchy hierarchy;
    const auto list = line.substr(first + 1, second - first - 1);
    hierarchy.own = line.substr(second + 1);
    hierarchy.unified = list.empty();
    if (list.starts_with("name=")) {
      hierarchy.name = list.substr(5);
    } else if (!list.empty()) {
      hierarchy.controllers = split(list, ',');
    }
    hierarchy.root = TRY(find_root(mount, hierarchy));
    found.push_back(std::move(hierarchy));
  }
  // One hierarchy in an unusual place sends us to the table; none mounted there is the common hybrid case of
  // controllers that nobody mounted, which must not cost a look each time.
  const bool any = std::any_of(found.begin(), found.end(), [](const auto& h) { return !h.root.empty(); });
  for (auto& hierarchy : found)
    if (hierarchy.root.empty() && !any) hierarchy.root = search_mount_table(hierarchy);
  std::erase_if(found, [](const auto& h) { return h.root.empty(); });
  for (auto& hierarchy : found) {
    if (!hierarchy.unified) continue;
    if (auto offered = read_file(hierarchy.root + "/cgroup.controllers"); offered && !trim(*offered).empty())
      hierarchy.controllers = split(std::string(trim(*offered)), ' ');
  }
  return CgroupLayout(std::move(found));
}

const CgroupHierarchy* CgroupLayout::find(std::string_view controller) const {
  for (const auto& hierarchy : hierarchies_) {
    const auto& list = hierarchy.controllers;
    if (std::find(list.begin(), list.end(), controller) != list.end()) return &hierarchy;
  }
  return nullptr;
}

const CgroupHierarchy* CgroupLayout::unified() const {
  for (const auto& hierarchy : hierarchies_)
    if (hierarchy.unified) return &hierarchy;
  return nullptr;
}

bool CgroupLayout::pure_unified() const { return hierarchies_.size() == 1 && hierarchies_.front().unified; }

Cgroup::Cgroup(CgroupLayout layout, std::string_view path)
    : layout_(std::move(layout)), path_(clean_path("/" + std::string(path)).substr(1)) {}

std::string Cgroup::directory(const CgroupHierarchy& hierarchy) const {
  return path_.empty() ? hierarchy.root : hierarchy.root + "/" + path_;
}

std::string Cgroup::directory(std::string_view controller) const {
  const auto* hierarchy = layout_.find(controller);
  return hierarchy ? directory(*hierarchy) : std::string();
}

bool Cgroup::exists() const {
  return std::any_of(layout_.hierarchies().begin(), layout_.hierarchies().end(),
                     [&](const auto& hierarchy) { return sys::exists(directory(hierarchy)); });
}

/// Whether it was made now.
Result<bool> Cgroup::create_in(const CgroupHierarchy& hierarchy) const {
  const auto leaf = directory(hierarchy);
  const bool cpuset = std::find(hierarchy.controllers.begin(), hierarchy.controllers.end(), "cpuset") !=
                      hierarchy.controllers.end();
  const bool plain = !cpuset && !(hierarchy.unified && !hierarchy.controllers.empty());
  if (plain && ::mkdir(leaf.c_str(), 0755) == 0) return true;
  if (plain && errno == EEXIST) return false;
  UndoStack undo;
  bool made = false;
  std::string directory = hierarchy.root;
  for (const auto& part : split(path_, '/')) {
    if (part.empty()) continue;
    const auto parent = directory;
    if (hierarchy.unified) enable_controllers(parent);
    directory += "/" + part;
    made = ::mkdir(directory.c_str(), 0755) == 0;
    if (!made && errno != EEXIST) return fail_errno("create cgroup {}", directory);
    if (made && directory == leaf) undo.add([leaf] { (void)remove_directory(leaf); });
    if (cpuset && !hierarchy.unified) TRY(inherit_cpuset(parent, directory));
  }
  undo.dismiss();
  return made;
}

Result<bool> Cgroup::create(bool tolerant) {
  UndoStack undo;
  bool existed = false;
  std::vector<CgroupHierarchy> kept;
  for (const auto& hierarchy : layout_.hierarchies()) {
    const auto made = create_in(hierarchy);
    if (!made && !tolerant) return made.error();
    if (!made) continue;
    if (*made)
      undo.add([leaf = directory(hierarchy)] { (void)remove_directory(leaf); });
    else
      existed = true;
    kept.push_back(hierarchy);
  }
  undo.dismiss();
  layout_ = CgroupLayout(std::move(kept));
  return !existed;
}

Result<void> Cgroup::write(std::string_view controller, std::string_view file, std::string_view value) const {
  const auto where = directory(controller);
  if (where.empty()) return fail(Kind::NotFound, "cgroup controller {} is not available", controller);
  TRY_CONTEXT(write_value(fmt::format("{}/{}", where, file), value), "set {} to {}", file, quote(value));
  return {};
}

Result<std::string> Cgroup::read(std::string_view controller, std::string_view file) const {
  const auto where = directory(controller);
  if (where.empty()) return fail(Kind::NotFound, "cgroup controller {} is not available", controller);
  return read_file(fmt::format("{}/{}", where, file));
}

Result<std::vector<Fd>> Cgroup::open_tasks() const {
  std::vector<Fd> fds;
  for (const auto& hierarchy : layout_.hierarchies())
    if (!hierarchy.unified) fds.push_back(TRY(open_file(directory(hierarchy) + "/tasks", O_WRONLY)));
  return fds;
}

Result<Fd> Cgroup::open_unified() const {
  const auto* hierarchy = layout_.unified();
  if (!hierarchy) return Fd();
  return open_directory(directory(*hierarchy));
}

Result<void> Cgroup::add(pid_t pid) const {
  for (const auto& hierarchy : layout_.hierarchies())
    TRY(write_existing(directory(hierarchy) + "/cgroup.procs", std::to_string(pid)));
  return {};
}

std::string Cgroup::freezer_directory() const {
  const auto* hierarchy = freezer();
  return hierarchy ? directory(*hierarchy) : std::string();
}

Result<std::vector<pid_t>> Cgroup::processes() const {
  // Any hierarchy knows them all; the one with pids or memory is always a complete one.
  const CgroupHierarchy* source = nullptr;
  for (const char* controller : {"pids", "memory", "devices", "freezer"})
    if (!source) source = layout_.find(controller);
  if (!source) source = layout_.unified();
  if (!source && !layout_.hierarchies().empty()) source = &layout_.hierarchies().front();
  if (!source) return fail(Kind::Unsupported, "no cgroup hierarchy is mounted");
  std::set<pid_t> pids;
  collect_processes(directory(*source), pids);
  return std::vector<pid_t>(pids.begin(), pids.end());
}

Result<void> Cgroup::signal_all(int signal) const {
  if (signal == SIGKILL && layout_.unified() && layout_.pure_unified() &&
      write_value(directory(*layout_.unified()) + "/cgroup.kill", "1"))
    return {};
  // Each round catches what was forked during the one before; a fork bomb is stopped by the freezer.
  const bool stopped = freezer() != nullptr && signal == SIGKILL && freeze(true).ok();
  const auto pids = TRY(processes());
  for (const pid_t pid : pids) ::kill(pid, signal);
  if (stopped) return freeze(false);
  return {};
}

const CgroupHierarchy* Cgroup::freezer() const {
  if (const auto* hierarchy = layout_.find("freezer"); hierarchy && !hierarchy->unified) return hierarchy;
  const auto* unified = layout_.unified();
  return unified && sys::exists(directory(*unified) + "/cgroup.freeze") ? unified : nullptr;
}

Result<bool> Cgroup::frozen() const {
  const auto* hierarchy = freezer();
  if (!hierarchy) return fail(Kind::Unsupported, "no freezer cgroup is available");
  if (hierarchy->unified) {
    const auto events = TRY(read_file(directory(*hierarchy) + "/cgroup.events"));
    return events.find("frozen 1") != std::string::npos;
  }
  return trim(TRY(read_file(directory(*hierarchy) + "/freezer.state"))) == "FROZEN";
}

Result<void> Cgroup::freeze(bool wanted) const {
  const auto* hierarchy = freezer();
  if (!hierarchy) return fail(Kind::Unsupported, "no freezer cgroup is available");
  const auto file = directory(*hierarchy) + (hierarchy->unified ? "/cgroup.freeze" : "/freezer.state");
  for (int attempt = 0; attempt < kFreezeAttempts; ++attempt) {
    // Version 1 may stay FREEZING when a process forked at the wrong moment: writing again helps.
    TRY(write_value(file, hierarchy->unified ? (wanted ? "1" : "0") : (wanted ? "FROZEN" : "THAWED")));
    if (TRY(frozen()) == wanted) return {};
    ::poll(nullptr, 0, attempt < 10 ? 0 : kFreezePauseMilliseconds);
  }
  if (wanted) (void)write_value(file, hierarchy->unified ? "0" : "THAWED");
  return fail(Kind::Unavailable, "cgroup {} did not {}", path_, wanted ? "freeze" : "thaw");
}

Result<void> Cgroup::remove() const {
  if (path_.empty()) return fail(Kind::InvalidArgument, "the root cgroup cannot be removed");
  for (const auto& hierarchy : layout_.hierarchies()) {
    const auto where = directory(hierarchy);
    int code = remove_directory(where);
    for (int attempt = 0; code == EBUSY && attempt < kRemoveAttempts; ++attempt) {
      ::usleep(kRemovePauseMicroseconds);
      code = remove_directory(where);
    }
    if (code != 0) return Error::from_errno("remove cgroup " + where, code);
  }
  return {};
}

Result<void> Cgroup::remove_if_empty() const {
  if (path_.empty()) return fail(Kind::InvalidArgument, "the root cgroup cannot be removed");
  for (const auto& hierarchy : layout_.hierarchies()) {
    const auto where = directory(hierarchy);
    if (::rmdir(where.c_str()) != 0 && errno != EBUSY && errno != ENOTEMPTY && errno != ENOENT)
      return fail_errno("remove cgroup {}", where);
  }
  return {};
}

}  // namespace skiff::sys
