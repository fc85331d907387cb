#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "image/bootstrap/apt_sources.h"

namespace skiff::image {

/// The program that installs packages into an empty folder.
struct BootstrapTool {
  std::string program;  ///< "/usr/bin/mmdebstrap" or "/usr/sbin/debootstrap"
  std::string version;  ///< "mmdebstrap 1.3.5"
};

/// Unsupported, with what to install, when there is none.
Result<BootstrapTool> find_bootstrap_tool();

/// A suite's signed index of indexes, as the mirror has it now.
struct ReleaseFile {
  std::string digest;
  std::int64_t date = 0;  ///< seconds since 1970
};
/// NotFound when the mirror has no such suite, Unavailable when it does not answer. `work` is a folder for
/// the download.
Result<ReleaseFile> fetch_release(const AptSource& source, const std::string& work);
/// The "Date:" of a Release file's text; 0 when there is none.
std::int64_t release_date(std::string_view text);

struct ToolRun {
  std::string suite;
  std::vector<AptSource> sources;
  std::string target;  ///< an empty folder
  std::int64_t epoch = 0;
  bool slim = false;
  std::function<void(std::string_view)> progress;
  const std::atomic<bool>* cancelled = nullptr;
};
/// Runs the tool to its end. Unavailable with the tool's own last words when it fails; Cancelled.
Result<void> run_bootstrap_tool(const BootstrapTool& tool, const ToolRun& run);

}  // namespace skiff::image
