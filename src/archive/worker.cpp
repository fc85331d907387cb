#include "archive/worker.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "archive/worker_job.h"
#include "sys/file.h"
#include "sys/spawn.h"

namespace skiff::archive {

namespace {

/// An archive of images has twenty thousand entries at most.
constexpr std::size_t kAnswerLimit = 32 << 20;

std::string& worker_program() {
  static std::string program = "/proc/self/exe";
  return program;
}

Result<sys::Fd> memory_file(std::string_view bytes) {
  sys::Fd file(::memfd_create("skiff-job", MFD_CLOEXEC));
  if (!file) return fail_errno("memfd_create");
  TRY(sys::write_all(file, bytes));
  if (::lseek(file.get(), 0, SEEK_SET) < 0) return fail_errno("seek");
  return file;
}

/// Why a worker ended without an answer.
Error died(int status) {
  if (WIFSIGNALED(status))
    return fail(Kind::Internal, "the archive worker was killed by signal {} ({})", WTERMSIG(status),
                strsignal(WTERMSIG(status)));
  return fail(Kind::Internal, "the archive worker ended with code {} and without an answer",
              WEXITSTATUS(status));
}

/// What the worker writes to its end: the answer, after lines that are passed on to `progress`.
Result<std::string> read_answer(const sys::Fd& pipe, const OnEntryProgress& progress) {
  std::string bytes;
  std::string piece(64 << 10, '\0');
  while (const std::size_t count = TRY(sys::read_some(pipe, piece.data(), piece.size()))) {
    bytes.append(piece, 0, count);
    for (std::size_t end;
         (end = bytes.find('\n', bytes.size() - std::min(bytes.size(), count))) != std::string::npos;) {
      const auto line = json::decode<EntryProgress>(std::string_view(bytes).substr(0, end));
      if (line && progress) progress(*line);
      bytes.erase(0, end + 1);
    }
    if (bytes.size() > kAnswerLimit)
      return fail(Kind::Exhausted, "the archive worker's answer is larger than {} bytes", kAnswerLimit);
  }
  return bytes;
}

Result<Answer> run_job(Job job, const Root& root, int data, const sys::Fd* recipe = nullptr,
                       const OnEntryProgress& progress = {}) {
  sys::SpawnOptions options;
  options.program = worker_program();
  options.arguments = {kWorkerName};
  options.environment.emplace();
  options.die_with_parent = true;
  for (const auto& mount : root.mounts) job.mounts.push_back({mount});
  sys::Fd process_root;
  sys::Fd process_namespace;
  if (root.process > 0) {
    // Both before anything else: should the process end now, one of these fails.
    process_namespace = TRY(sys::open_file(fmt::format("/proc/{}/ns/mnt", root.process), O_RDONLY));
    process_root = TRY(sys::open_file(fmt::format("/proc/{}/root", root.process), O_PATH | O_DIRECTORY));
    options.keep.emplace_back(process_namespace.get(), kNamespaceFd);
    options.keep.emplace_back(process_root.get(), kRootFd);
    job.join = true;
  } else if (root.directory >= 0) {
    options.keep.emplace_back(root.directory, kRootFd);
  } else if (root.mounts.empty()) {
    return fail(Kind::Internal, "an archive worker needs a tree to work in");
  }
  if (recipe) {
    options.keep.emplace_back(recipe->get(), kRecipeFd);
    job.recipe = true;
  }
  const sys::Fd text = TRY(memory_file(json::encode(job)));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe");
  const sys::Fd answer_end(ends[0]);
  sys::Fd worker_end(ends[1]);
  options.keep.emplace_back(text.get(), kJobFd);
  options.keep.emplace_back(worker_end.get(), kAnswerFd);
  if (data >= 0) options.keep.emplace_back(data, kDataFd);
  const sys::Process process = TRY_CONTEXT(sys::spawn(options), "archive worker");
  worker_end.reset();
  auto bytes = read_answer(answer_end, progress);
  const int status = TRY(process.wait());
  if (!bytes || bytes->empty()) return died(status);
  auto answer = TRY_CONTEXT(json::decode<Answer>(*bytes), "archive worker");
  if (!answer.error.empty()) {
    if (answer.kind < 0 || answer.kind > static_cast<int>(Kind::Internal))
      answer.kind = static_cast<int>(Kind::Internal);
    return Error(static_cast<Kind>(answer.kind), answer.error, answer.code);
  }
  return answer;
}

}  // namespace

void set_worker_program(std::string path) { worker_program() = std::move(path); }

Result<Unpacked> unpack(const sys::Fd& tar, const Root& root, const std::string& path,
                        const ApplyOptions& options, const sys::Fd* recipe) {
  Job job;
  job.kind = "unpack";
  job.path = path;
  job.options = options;
  const Answer answer = TRY(run_job(std::move(job), root, tar.get(), recipe));
  Unpacked unpacked;
  unpacked.stats = {answer.entries, answer.bytes};
  unpacked.digest = TRY(spec::Digest::parse(answer.digest));
  unpacked.tar_bytes = answer.tar_bytes;
  return unpacked;
}

Result<Replayed> pack_layer(const sys::Fd& layer, const sys::Fd* recipe, const sys::Fd& out,
                            const std::set<std::string>& omit) {
  Job job;
  job.kind = "pack-layer";
  job.names.assign(omit.begin(), omit.end());
  Root root;
  root.directory = layer.get();
  const Answer answer = TRY(run_job(std::move(job), root, out.get(), recipe));
  return Replayed{TRY(spec::Digest::parse(answer.digest)), answer.tar_bytes};
}

Result<ApplyStats> read_contents(const sys::Fd& contents, const sys::Fd& nowhere, const ContentsOf& blob,
                                 const spec::LayerLimits& limits, const sys::Fd& index) {
  Job job;
  job.kind = "contents";
  job.blob_size = blob.size;
  job.estargz = blob.estargz;
  job.options.limits = limits;
  Root root;
  root.directory = nowhere.get();
  const Answer answer = TRY(run_job(std::move(job), root, contents.get(), &index));
  return ApplyStats{answer.entries, answer.bytes};
}

Result<std::vector<ImageArchiveEntry>> unpack_images(const sys::Fd& tar, const sys::Fd& folder,
                                                     const std::set<std::string>& known,
                                                     const spec::LayerLimits& limits,
                                                     const OnEntryProgress& progress) {
  Job job;
  job.options.limits = limits;
  job.kind = "unpack-images";
  job.progress = static_cast<bool>(progress);
  job.names.assign(known.begin(), known.end());
  Root root;
  root.directory = folder.get();
  return TRY(run_job(std::move(job), root, tar.get(), nullptr, progress)).archive_entries;
}

Result<void> pack(const Root& root, const std::string& path, const sys::Fd& out, PackNames names) {
  Job job;
  job.kind = names == PackNames::Below ? "pack" : "pack-inside";
  job.path = path;
  TRY(run_job(std::move(job), root, out.get()));
  return {};
}

Result<spec::docker::PathStat> stat_path(const Root& root, const std::string& path) {
  Job job;
  job.kind = "stat";
  job.path = path;
  auto answer = TRY(run_job(std::move(job), root, -1));
  if (!answer.stat) return fail(Kind::Internal, "the archive worker gave no answer about {}", path);
  return *std::move(answer.stat);
}

}  // namespace skiff::archive
