#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "runtime/child.h"
#include "sys/syscalls.h"

namespace skiff::runtime::child {
namespace {

/// The multiplexer of the container's own devpts. What the container may have put there instead is refused.
int open_multiplexer(const Context& context, int root) {
  const int fd = open_inside(root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW);
  struct stat info = {};
  struct statfs filesystem = {};
  if (fd < 0 || ::fstat(fd, &info) != 0 || ::fstatfs(fd, &filesystem) != 0)
    fail(context, Step::Console, errno, "/dev/pts/ptmx");
  if (!S_ISCHR(info.st_mode) || info.st_rdev != makedev(5, 2) || filesystem.f_type != DEVPTS_SUPER_MAGIC)
    fail(context, Step::Console, EINVAL, "/dev/pts/ptmx");
  return fd;
}

/// Puts the slave on /dev/console. The destination is opened without following a link, and only a file or a
/// device is covered (CVE-2025-52565).
void bind_console(const Context& context, int root, int slave) {
  const int dev = open_inside(root, "/dev", O_PATH | O_DIRECTORY);
  if (dev < 0) fail(context, Step::Console, errno, "/dev");
  const int made = ::openat(dev, "console", O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (made >= 0) ::close(made);
  const int target = ::openat(dev, "console", O_PATH | O_NOFOLLOW | O_CLOEXEC);
  struct stat info = {};
  if (target < 0 || ::fstat(target, &info) != 0) fail(context, Step::Console, errno, "/dev/console");
  if (!S_ISREG(info.st_mode) && !S_ISCHR(info.st_mode)) fail(context, Step::Console, EINVAL, "/dev/console");
  const int tree = sys::raw::open_tree(slave, "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
  if (tree < 0 || sys::raw::attach(tree, target) != 0) fail(context, Step::Console, errno, "/dev/console");
  ::close(tree);
  ::close(target);
  ::close(dev);
}

bool is_null(int fd) {
  struct stat info = {};
  return ::fstat(fd, &info) == 0 && S_ISCHR(info.st_mode) && info.st_rdev == makedev(1, 3);
}

/// The container's own null device for a stream that is the host's, or -1: no stream leads out for nothing,
/// and criu(8) finds no path to a file of another mount namespace. What the container has there instead is
/// not taken.
int null_inside(int stream) {
  if (!is_null(stream)) return -1;
  const int mode = ::fcntl(stream, F_GETFL) & O_ACCMODE;
  // Not to be held up by a FIFO of that name.
  const int fd = ::open("/dev/null", mode | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (fd >= 0 && is_null(fd) && ::fcntl(fd, F_SETFL, 0) == 0) return fd;
  if (fd >= 0) ::close(fd);
  return -1;
}

/// Programs open /dev/stdout and the like again by name: as their user they need to own what is behind it.
void give_to_user(const Context& context, int fd) {
  struct stat info = {};
  if (::fstat(fd, &info) != 0 || info.st_uid == context.process->uid || is_null(fd)) return;
  (void)!::fchown(fd, context.process->uid, info.st_gid);
}

}  // namespace

void open_console(Context& context, int root, bool bind) {
  const int start = root == AT_FDCWD ? ::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) : root;
  const int master = open_multiplexer(context, start);
  int unlock = 0;
  if (::ioctl(master, TIOCSPTLCK, &unlock) != 0) fail(context, Step::Console, errno, "unlock the pty");
  // The peer comes from the master itself: no name that could have been replaced is looked up.
  context.console = ::ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (context.console < 0) fail(context, Step::Console, errno, "open the pty's slave");
  const winsize& size = context.process->size;
  if ((size.ws_row != 0 || size.ws_col != 0) && ::ioctl(master, TIOCSWINSZ, &size) != 0)
    fail(context, Step::Console, errno, "set the window size");
  if (bind) bind_console(context, start, context.console);
  hand_over(context, Message::Console, master);
  ::close(master);
  if (start != root) ::close(start);
}

void take_streams(const Context& context) {
  int wanted[3] = {context.process->streams.in, context.process->streams.out, context.process->streams.err};
  if (context.console >= 0) {
    if (::ioctl(context.console, TIOCSCTTY, 0) != 0)
      fail(context, Step::Streams, errno, "controlling terminal");
    for (int& fd : wanted) fd = context.console;
  }
  // Out of the way of 0, 1 and 2 first: the sources may be among them, in another order.
  int moved[3] = {-1, -1, -1};
  for (int i = 0; i < 3; ++i) {
    if (wanted[i] < 0) continue;
    moved[i] = ::fcntl(wanted[i], F_DUPFD_CLOEXEC, 3);
    if (moved[i] < 0) fail(context, Step::Streams, errno);
    if (const int null = null_inside(moved[i]); null >= 0) {
      ::close(moved[i]);
      moved[i] = null;
    }
  }
  for (int i = 0; i < 3; ++i) {
    if (moved[i] < 0) continue;
    if (::dup2(moved[i], i) < 0) fail(context, Step::Streams, errno);
    ::close(moved[i]);
    give_to_user(context, i);
  }
}

}  // namespace skiff::runtime::child
