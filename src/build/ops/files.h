#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "build/frontend/ignore.h"
#include "spec/digest.h"
#include "sys/fd.h"

namespace skiff::build {

/// A tree that COPY takes files from: the build context, or another stage's file system.
struct FileTree {
  const sys::Fd& root;
  const IgnoreRules* ignore = nullptr;  ///< null: nothing is left out
  bool context = false;                 ///< chooses the words of errors, and whose owners do not count

  bool excludes(std::string_view path) const { return ignore && ignore->excludes(path); }
};

/// One file or directory that a COPY names, found.
struct FoundSource {
  std::string path;  ///< relative to the tree's root, clean; "." for all of it
  std::string name;  ///< its last component as written, for a file's name at the destination
  bool directory = false;
};

/// Finds what `sources` name: plain paths, which must exist, and patterns, which may match nothing. Errors in
/// the classic builder's words ("COPY failed: file not found in build context ..."), `instruction` in front.
Result<std::vector<FoundSource>> find_sources(const FileTree& tree, const std::vector<std::string>& sources,
                                              std::string_view instruction);

/// The identity of what a source holds: names, types, modes, owners, links and content, but no times.
/// "file:<hex>" or "dir:<hex>". Large files are read by several threads at once.
Result<std::string> digest_source(const FileTree& tree, const FoundSource& source);
/// The same for several sources: "multi:<hex>", or the one's own.
std::string combine_digests(const std::vector<std::string>& digests);

}  // namespace skiff::build
