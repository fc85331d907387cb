#pragma once

#include <optional>
#include <string>
#include <vector>

namespace skiff::sys {

/// An option of a file system as fsconfig(2) takes it: a flag when it has no value.
struct FilesystemOption {
  std::string key;
  std::optional<std::string> value;
};

/// Kernels before 6.7 take the layers of an overlay only as one option, which may be longer than fsconfig(2)
/// carries: there all options go to mount(2) at once, in one page. These functions allocate nothing, so that
/// code between clone and execve may use them.

/// Whether `options` name layers one by one, and the overlay that was just opened as `context` (fsopen(2))
/// leaves its options unread until it is made, as before 6.5: it takes "lowerdir+" and fails only at the
/// end. 6.5 and 6.6 refuse "lowerdir+" at once, with EINVAL.
bool overlay_reads_late(int context, const std::vector<FilesystemOption>& options);

/// Makes the overlay that `options` describe ("lowerdir+" once a layer, topmost first) by mount(2) and
/// returns its root, attached nowhere; -1 with errno, E2BIG when the options do not fit. Paths are handed
/// over relative to the directory that all of them share, so that 127 layers of one store do fit. For a
/// moment the overlay is mounted on its topmost layer and the working directory is another: the caller's
/// mount namespace must be its own and private.
int mount_overlay_page(const std::vector<FilesystemOption>& options, bool read_only);

}  // namespace skiff::sys
