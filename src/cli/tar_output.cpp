#include "cli/tar_output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/ids.h"
#include "base/undo.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::cli {
namespace {

constexpr std::size_t kPiece = 256 << 10;

Result<void> copy(client::Stream& stream, int fd, const std::string& name) {
  std::string buffer(kPiece, '\0');
  while (const std::size_t got = TRY(stream.read(buffer.data(), buffer.size()))) {
    std::string_view left(buffer.data(), got);
    while (!left.empty()) {
      const ssize_t written = ::write(fd, left.data(), left.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return fail_errno("write {}", name);
      left.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  return {};
}

}  // namespace

Result<void> check_tar_output(Cli& cli, const std::string& path, std::string_view doing) {
  if (path.empty()) {
    if (cli.out.is_terminal())
      return Error(Kind::InvalidArgument,
                   "cowardly refusing to save to a terminal. Use the -o flag or redirect");
    return {};
  }
  struct stat status {};
  const std::string folder(sys::dir_name(sys::clean_path(path)));
  if (::stat(folder.c_str(), &status) != 0)
    return fail(Kind::InvalidArgument, "{}: invalid output path: stat {}: no such file or directory", doing,
                folder);
  if (::stat(path.c_str(), &status) != 0) return {};
  if (S_ISDIR(status.st_mode)) return fail(Kind::InvalidArgument, "{}: cannot write to a directory", doing);
  if (S_ISCHR(status.st_mode))
    return fail(Kind::InvalidArgument, "{}: cannot write to a character device file", doing);
  if (S_ISBLK(status.st_mode))
    return fail(Kind::InvalidArgument, "{}: cannot write to a block device file", doing);
  return {};
}

Result<void> write_tar_output(client::Stream& stream, const std::string& path) {
  if (path.empty()) return copy(stream, 1, "/dev/stdout");
  const std::string clean = sys::clean_path(path);
  const std::string temporary =
      sys::join_path(sys::dir_name(clean), fmt::format(".tmp-{}{}", sys::base_name(clean), random_hex(5)));
  const sys::Fd file = TRY(sys::open_file(temporary, O_WRONLY | O_CREAT | O_EXCL, 0600));
  UndoStack undo;
  undo.add([&] { (void)::unlink(temporary.c_str()); });
  TRY(copy(stream, file.get(), path));
  if (::rename(temporary.c_str(), clean.c_str()) != 0) return fail_errno("rename {} to {}", temporary, clean);
  undo.dismiss();
  return {};
}

http::LongBody body_from(int fd, std::string name) {
  http::LongBody body;
  struct stat about {};
  const off_t at = ::lseek(fd, 0, SEEK_CUR);
  if (::fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && at >= 0 && at < about.st_size) {
    body.file = {fd, static_cast<std::uint64_t>(about.st_size - at)};
    return body;
  }
  body.source = [fd, name = std::move(name)](char* buffer, std::size_t size) -> Result<std::size_t> {
    for (;;) {
      const ssize_t got = ::read(fd, buffer, size);
      if (got >= 0) return static_cast<std::size_t>(got);
      // Before the error became one of the connection, Docker names what could not be read.
      if (errno != EINTR) return fail_errno("read {}", name);
    }
  };
  return body;
}

}  // namespace skiff::cli
