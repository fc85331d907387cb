#include "build/ops/unpack.h"

#include <unistd.h>

#include "archive/source.h"
#include "archive/worker.h"

namespace skiff::build {
namespace {

constexpr std::size_t kTarBlock = 512;

/// The checksum of a tar header: its bytes, with the checksum's own place taken as blanks.
bool is_tar_header(std::string_view block) {
  if (block.size() < kTarBlock) return false;
  constexpr std::size_t kPlace = 148;
  unsigned stored = 0;
  for (const char c : block.substr(kPlace, 8)) {
    if (c == ' ' || c == '\0') continue;
    if (c < '0' || c > '7') return false;
    stored = stored * 8 + static_cast<unsigned>(c - '0');
  }
  unsigned sum = 0;
  for (std::size_t i = 0; i < kTarBlock; ++i)
    sum += i >= kPlace && i < kPlace + 8 ? static_cast<unsigned>(' ') : static_cast<unsigned char>(block[i]);
  return sum == stored && block[0] != '\0';
}

}  // namespace

Result<bool> looks_like_archive(const sys::Fd& file) {
  std::string start(kTarBlock, '\0');
  const ssize_t got = pread(file.get(), start.data(), start.size(), 0);
  if (got < 0) return fail_errno("read");
  start.resize(static_cast<std::size_t>(got));
  if (archive::detect_compression(start) == archive::Compression::None) return is_tar_header(start);
  std::string head;
  if (auto source = archive::open_source(file); source.ok()) {
    while (head.size() < kTarBlock) {
      const auto bytes = (*source)->next();
      if (!bytes.ok() || bytes->empty()) break;
      head.append(bytes->substr(0, kTarBlock - head.size()));
    }
  }
  if (lseek(file.get(), 0, SEEK_SET) < 0) return fail_errno("seek");
  return is_tar_header(head);
}

Result<void> unpack_archive(const sys::Fd& file, const sys::Fd& directory,
                            const std::optional<std::pair<uid_t, gid_t>>& owner,
                            const spec::LayerLimits& limits) {
  archive::ApplyOptions options;
  options.limits = limits;
  options.escape = archive::Escape::Confine;
  options.devices = true;
  options.root_attributes = false;
  options.owner = owner;
  archive::Root root;
  root.directory = directory.get();
  TRY(archive::unpack(file, root, "/", options));
  return {};
}

}  // namespace skiff::build
