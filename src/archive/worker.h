#pragma once

#include <sys/types.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "archive/apply.h"
#include "archive/contents.h"
#include "archive/image_archive.h"
#include "archive/replay.h"
#include "base/result.h"
#include "spec/digest.h"
#include "spec/docker/container.h"
#include "spec/mount.h"
#include "sys/fd.h"

/// Work on hostile bytes and in hostile trees, done by a short-lived process: this program, executed anew
/// under the name "skiffd-worker". Before it reads the first byte it has made its target tree its root and
/// given up, by seccomp, everything but working on open files: no program can be executed, no code mapped, no
/// socket opened, no process or mount reached. A library in a container can therefore not be loaded into it
/// (CVE-2019-14271), and a link swapped by a running container leads nowhere but into that container
/// (CVE-2018-15664).
namespace skiff::archive {

/// The program that is executed as a worker; "/proc/self/exe" when never called. Call it before the first
/// thread.
void set_worker_program(std::string path);

/// To be called first thing in main(). When the program was started as a worker, does the work and never
/// returns.
void worker_main(int argc, char** argv);

/// The tree a worker works in. Exactly one of the members is set.
struct Root {
  /// Mounts that only the worker makes: the first is the root (destination ""), the others lie in it.
  std::vector<spec::Mount> mounts;
  /// A running process, whose mount namespace and root are joined.
  pid_t process = 0;
  /// An open directory, which stays the caller's; O_PATH is enough.
  int directory = -1;
};

struct Unpacked {
  ApplyStats stats;
  spec::Digest digest;          ///< of the uncompressed archive; for a layer its diff id
  std::uint64_t tar_bytes = 0;  ///< of the uncompressed archive
};

/// Unpacks a tar archive (plain, gzip or zstd) that is read from `tar` to its end into the existing directory
/// `path` of the tree. Errors as apply(), and InvalidArgument when `path` is no directory, NotFound when it
/// is missing. `recipe`, when given, is an empty file: afterwards it says how the archive is made again from
/// the tree (recipe.h).
Result<Unpacked> unpack(const sys::Fd& tar, const Root& root, const std::string& path,
                        const ApplyOptions& options, const sys::Fd* recipe = nullptr);

/// Writes the tar of a layer, whose files are in the directory `layer`, to `out`: the one that `recipe` tells
/// of, or without a recipe the one that diff() makes without `omit`. Gives its digest and size; DataLoss as
/// replay().
Result<Replayed> pack_layer(const sys::Fd& layer, const sys::Fd* recipe, const sys::Fd& out,
                            const std::set<std::string>& omit = {});

/// Reads the table of contents of a layer (contents.h) from the file `contents` and writes the index of its
/// files to the empty file `index`. The worker sees the empty directory `nowhere` alone. How many entries and
/// bytes that are; errors as parse_contents().
Result<ApplyStats> read_contents(const sys::Fd& contents, const sys::Fd& nowhere, const ContentsOf& blob,
                                 const spec::LayerLimits& limits, const sys::Fd& index);

/// Reads an archive of images (image_archive.h; plain or compressed) from `tar` to its end into the empty
/// folder `folder`. What stands in the folder afterwards is as little to be trusted as the bytes were.
/// `progress` is called on this thread.
Result<std::vector<ImageArchiveEntry>> unpack_images(const sys::Fd& tar, const sys::Fd& folder,
                                                     const std::set<std::string>& known,
                                                     const spec::LayerLimits& limits,
                                                     const OnEntryProgress& progress = {});

/// How the entries of a packed directory are called.
enum class PackNames : std::uint8_t {
  Below,   ///< after it: "etc/hosts" for "/etc"
  Inside,  ///< by what is in it alone: "hosts"; the directory itself has no entry
};

/// Writes a tar of `path` to `out`. NotFound before anything is written.
Result<void> pack(const Root& root, const std::string& path, const sys::Fd& out,
                  PackNames names = PackNames::Below);

/// What stands at `path`, as `docker cp` asks. NotFound.
Result<spec::docker::PathStat> stat_path(const Root& root, const std::string& path);

}  // namespace skiff::archive
