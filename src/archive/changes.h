#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace skiff::archive {

struct Change {
  enum class Kind : std::uint8_t { Modified = 0, Added = 1, Deleted = 2 };  ///< Docker's numbers
  std::string path;                                                         ///< absolute
  Kind kind = Kind::Modified;
};

/// What the overlay upper directory `upper` changes of the layers below it, topmost first, as `docker diff`
/// shows it: a directory that is only there because something in it changed counts as changed, and nothing
/// that differs in nothing. Parents come before what is in them. `places` are absolute paths at which
/// somebody mounts: empty files and directories there, which the layers below do not have, are no change.
Result<std::vector<Change>> changes(const sys::Fd& upper, const std::vector<sys::Fd>& lower,
                                    const std::set<std::string>& places = {});

}  // namespace skiff::archive
