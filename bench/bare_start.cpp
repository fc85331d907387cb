// The bare kernel sequence of a container start, without any engine: clone3 into new namespaces, overlay,
// /proc, pivot_root, exec, wait. usage: bare_start RUNS ROOT PROGRAM. ROOT is a root file system (the lower
// layer) on a file system that can hold an upper one; prints the median in milliseconds.
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::_Exit(1);
}

void check(long result, const char* what) {
  if (result < 0) give_up(what);
}

int new_mount(const char* type, const std::vector<std::pair<const char*, std::string>>& options) {
  const auto context = static_cast<int>(syscall(SYS_fsopen, type, FSOPEN_CLOEXEC));
  check(context, "fsopen");
  for (const auto& [key, value] : options)
    check(syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, key, value.c_str(), 0), key);
  check(syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0), type);
  const auto mount = static_cast<int>(syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0));
  check(mount, "fsmount");
  close(context);
  return mount;
}

void attach(int mount, int directory, const char* path) {
  check(syscall(SYS_move_mount, mount, "", directory, path, MOVE_MOUNT_F_EMPTY_PATH), path);
}

[[noreturn]] void become_container(const std::string& root, const std::string& layer, char* program) {
  check(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "private");
  const int view = new_mount(
      "overlay", {{"lowerdir", root}, {"upperdir", layer + "/upper"}, {"workdir", layer + "/work"}});
  attach(view, AT_FDCWD, "/");
  check(fchdir(view), "fchdir");
  attach(new_mount("proc", {}), view, "proc");
  check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
  check(umount2(".", MNT_DETACH), "umount");
  char* const arguments[] = {program, nullptr};
  execv(program, arguments);
  give_up(program);
}

double start_once(const std::string& root, const std::string& layer, char* program) {
  for (const char* directory : {"", "/upper", "/work"}) mkdir((layer + directory).c_str(), 0700);
  const auto begin = std::chrono::steady_clock::now();
  clone_args arguments = {};
  arguments.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP;
  arguments.exit_signal = SIGCHLD;
  const auto child = static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof arguments));
  check(child, "clone3");
  if (child == 0) become_container(root, layer, program);
  int status = 0;
  check(waitpid(child, &status, 0), "waitpid");
  if (status != 0) std::_Exit(1);
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int main(int count, char** words) {
  if (count != 4) {
    std::fputs("usage: bare_start RUNS ROOT PROGRAM\n", stderr);
    return 1;
  }
  std::vector<double> times;
  for (int i = 0; i < std::atoi(words[1]); ++i)
    times.push_back(start_once(words[2], std::string(words[2]) + ".layer", words[3]));
  std::sort(times.begin(), times.end());
  std::printf("%.1f\n", times[times.size() / 2]);
  return 0;
}
