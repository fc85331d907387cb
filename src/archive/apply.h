#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "archive/recorder.h"
#include "archive/source.h"
#include "archive/tree.h"

namespace skiff::archive {

/// How the entries of an archive become files.
struct ApplyOptions {
  enum class Whiteouts : std::uint8_t {
    Literal,  ///< ".wh.x" is a file of that name
    Overlay,  ///< ".wh.x" becomes overlayfs' 0/0 device, ".wh..wh..opq" its opaque attribute
  };
  Whiteouts whiteouts = Whiteouts::Literal;
  /// How links that are already in the tree and lead out of it are met when something is placed through them.
  Escape escape = Escape::Refuse;
  bool devices = false;                          ///< device nodes are made; else refused
  bool absolute_names = false;                   ///< "/etc/x" is taken as "etc/x"; else refused
  bool keep_owner = true;                        ///< owners of the archive; else root
  std::optional<std::pair<uid_t, gid_t>> owner;  ///< instead of the archive's
  /// Docker's copy rule: a directory never replaces a file, nor a file a directory.
  bool keep_kinds = false;
  bool directory_times = true;
  /// Whether the entry "./" says what the directory `root` itself is like. Docker passes it over: archives
  /// are made from temporary directories of mode 0700, and nobody wants the container's "/" like that.
  bool root_attributes = true;
  /// Those of entries are kept by apply(), the others by who opens the archive (open_source()).
  spec::LayerLimits limits;
};

/// Options for an image layer: whiteouts, devices, everything confined to the layer.
ApplyOptions layer_options();
/// Options for a build context: nothing special, nothing leading out.
ApplyOptions context_options();

struct ApplyStats {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;  ///< sum of the sizes of regular files
};

/// Unpacks the tar archive into the directory `root`. Safe against hostile archives: entries are placed
/// relative to descriptors that the kernel resolved inside the tree. An entry whose name, or whose hard link
/// target, leads out of it is Forbidden, and the sentence names the entry. An entry that stands where another
/// file is replaces it; directories are merged. Not atomic: on failure a part is there. `recorder`, when
/// given, stands behind `tar` and is told what went where; its finish() is left to the caller.
Result<ApplyStats> apply(Source& tar, const sys::Fd& root, const ApplyOptions& options,
                         Recorder* recorder = nullptr);

}  // namespace skiff::archive
