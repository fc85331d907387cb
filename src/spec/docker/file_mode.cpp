#include <sys/stat.h>

#include <cstdint>
#include <utility>

#include "spec/docker/container.h"

namespace skiff::spec::docker {
namespace {

// Go's os.ModeDir and friends (https://pkg.go.dev/io/fs#FileMode).
constexpr std::uint32_t kGoDirectory = 1U << 31;
constexpr std::uint32_t kGoSymlink = 1U << 27;
constexpr std::uint32_t kGoDevice = 1U << 26;
constexpr std::uint32_t kGoNamedPipe = 1U << 25;
constexpr std::uint32_t kGoSocket = 1U << 24;
constexpr std::uint32_t kGoCharDevice = 1U << 21;

constexpr std::pair<std::uint32_t, std::uint32_t> kTypes[] = {
    {S_IFDIR, kGoDirectory}, {S_IFLNK, kGoSymlink},   {S_IFCHR, kGoDevice | kGoCharDevice},
    {S_IFBLK, kGoDevice},    {S_IFIFO, kGoNamedPipe}, {S_IFSOCK, kGoSocket},
};
constexpr std::pair<std::uint32_t, std::uint32_t> kBits[] = {
    {S_ISUID, 1U << 23}, {S_ISGID, 1U << 22}, {S_ISVTX, 1U << 20}};
constexpr std::uint32_t kGoTypeMask =
    kGoDirectory | kGoSymlink | kGoDevice | kGoNamedPipe | kGoSocket | kGoCharDevice;

}  // namespace

std::uint32_t go_file_mode(std::uint32_t unix_mode) {
  std::uint32_t mode = unix_mode & 0777;
  for (const auto& [type, go] : kTypes)
    if ((unix_mode & S_IFMT) == type) mode |= go;
  for (const auto& [bit, go] : kBits)
    if (unix_mode & bit) mode |= go;
  return mode;
}

std::uint32_t unix_file_mode(std::uint32_t go_mode) {
  std::uint32_t mode = go_mode & 0777;
  std::uint32_t type = S_IFREG;
  for (const auto& [unix_type, go] : kTypes)
    if ((go_mode & kGoTypeMask) == go) type = unix_type;
  for (const auto& [bit, go] : kBits)
    if (go_mode & go) mode |= bit;
  return mode | type;
}

}  // namespace skiff::spec::docker
