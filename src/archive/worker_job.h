#pragma once

#include <string>
#include <vector>

#include "archive/apply.h"
#include "archive/image_archive.h"
#include "base/json.h"
#include "spec/docker/container.h"
#include "spec/mount.h"

/// What goes between the daemon and a worker: the job as JSON in a memory file, the answer as JSON in a pipe.
/// Lines before the answer, which has no end of line, are the progress of an "unpack-images".
namespace skiff::archive {

inline constexpr const char* kWorkerName = "skiffd-worker";

/// The descriptors a worker is started with.
enum WorkerFd : int {
  kJobFd = 3,
  kAnswerFd = 4,
  kDataFd = 5,       ///< the tar, in or out
  kRootFd = 6,       ///< Root::directory, or the root directory of Root::process
  kNamespaceFd = 7,  ///< the mount namespace of Root::process
  kRecipeFd = 8,     ///< the recipe of a layer's tar, in or out; the index of a layer's files, out
};

struct JobMount {
  spec::Mount mount;
};

struct Job {
  std::string kind;  ///< "unpack", "pack", "pack-inside", "pack-layer", "unpack-images", "contents" or "stat"
  std::vector<JobMount> mounts;
  bool join = false;      ///< kNamespaceFd is there
  bool recipe = false;    ///< kRecipeFd is there
  bool progress = false;  ///< somebody listens to it
  std::string path;
  ApplyOptions options;
  std::vector<std::string> names;  ///< what "unpack-images" knows, what "pack-layer" omits
  std::uint64_t blob_size = 0;     ///< of the layer whose "contents" these are (contents.h)
  std::optional<std::uint64_t> estargz;
};

struct Answer {
  std::string error;  ///< "" when all went well
  int kind = 0;
  int code = 0;
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  std::uint64_t tar_bytes = 0;
  std::string digest;
  std::optional<spec::docker::PathStat> stat;
  std::vector<ImageArchiveEntry> archive_entries;
};

void describe(json::Fields& f, JobMount& mount);
void describe(json::Fields& f, Job& job);
void describe(json::Fields& f, Answer& answer);

}  // namespace skiff::archive
