#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "archive/tar_writer.h"
#include "spec/digest.h"
#include "sys/fd.h"

namespace skiff::archive {

struct Diff {
  spec::Digest diff_id;     ///< of the tar
  std::uint64_t bytes = 0;  ///< sum of the sizes of regular files, as Docker counts a layer
  std::uint64_t tar_bytes = 0;
};

/// The layer tar of an overlay upper directory: names sorted bytewise, whiteouts and opaque directories
/// written as
/// ".wh." entries, hard links, devices, owners and xattrs kept, sockets left out. The same directory always
/// gives the same bytes. `sink` may be empty: then only the digest is computed. Reads through descriptors
/// only and follows no link. The directory's files must not change meanwhile. `omit` has absolute paths that
/// are left out, directories with all that is in them.
Result<Diff> diff(const sys::Fd& layer, const Sink& sink = {}, const std::set<std::string>& omit = {});

/// Writes the file or tree `name` of `dir` into `tar` under the name `as` ("." puts a directory's entries at
/// the top, "/" gives them absolute names as Docker's clients expect of a container's root). For copies out
/// of a container: whiteouts have no meaning here, and what only shows the kernel
/// (/proc, /sys) comes as an empty directory.
Result<void> write_tree(TarWriter& tar, const sys::Fd& dir, const std::string& name, const std::string& as);
/// The same of everything in `dir`, without an entry for `dir` itself.
Result<void> write_entries(TarWriter& tar, const sys::Fd& dir);

}  // namespace skiff::archive
