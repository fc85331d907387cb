#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

/// Files as Skiff uses them: whole reads and writes, atomic replacement, trees removed for good. Paths
/// here are the engine's own; paths that an image or a user chose go through sys/path.h.
namespace skiff::sys {

/// open(2) with O_CLOEXEC added; the error names the path.
Result<Fd> open_file(const std::string& path, int flags, mode_t mode = 0644);
/// openat(2) with O_CLOEXEC added.
Result<Fd> open_at(const Fd& dir, const std::string& path, int flags, mode_t mode = 0644);
Result<Fd> open_directory(const std::string& path);
/// A second descriptor of the same open file.
Result<Fd> duplicate(const Fd& fd);

/// Reads at most `size` bytes; fewer only at the end of the file. EINTR is retried.
Result<std::size_t> read_some(const Fd& fd, void* buffer, std::size_t size);
/// All bytes up to the end; more than `limit` is Exhausted.
Result<std::string> read_all(const Fd& fd, std::size_t limit = SIZE_MAX);
Result<std::string> read_file(const std::string& path, std::size_t limit = SIZE_MAX);
/// Writes every byte; retries EINTR and short writes.
Result<void> write_all(const Fd& fd, std::string_view bytes);
/// Writes `bytes` over an existing file in one write(2), as /proc and cgroup files want it.
Result<void> write_existing(const std::string& path, std::string_view bytes);

/// Replaces `path` by `bytes` so that after a power loss either the old or the new content is there:
/// temporary file beside it, fsync, rename, fsync of the folder.
Result<void> write_file_atomic(const std::string& path, std::string_view bytes, mode_t mode = 0644);
/// As write_file_atomic without the fsyncs: whole for every reader, but not safe against power loss.
Result<void> replace_file(const std::string& path, std::string_view bytes, mode_t mode = 0644);
Result<void> sync_directory(const std::string& path);

/// mkdir -p; existing directories stay as they are.
Result<void> make_directories(const std::string& path, mode_t mode = 0755);
/// Tells the file system that the folders in `path` have nothing to do with each other (chattr(1), "T"), so
/// that ext4 puts each into a part of the disk of its own: what is unpacked into one is then not looking for
/// room among the inodes of another that was just deleted, which ext4 passes over one by one for a minute.
/// Only a hint, which file systems that do not know it refuse.
void spread_folders(const std::string& path);
/// Removes a tree without following links and without crossing into mounts below it; a missing tree is
/// fine. Fails with the first entry that could not be removed.
Result<void> remove_tree(const std::string& path);
/// Names in a directory without "." and "..", sorted.
Result<std::vector<std::string>> list_directory(const std::string& path);
bool exists(const std::string& path);

/// Bytes of a tree's files (sum of st_size), each inode counted once and directories not, as Docker counts.
Result<std::uint64_t> disk_usage(const std::string& path);

}  // namespace skiff::sys
