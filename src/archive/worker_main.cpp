#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <optional>
#include <string>
#include <string_view>

#include "archive/ahead_source.h"
#include "archive/confine.h"
#include "archive/contents.h"
#include "archive/diff.h"
#include "archive/enter.h"
#include "archive/path_stat.h"
#include "archive/recorder.h"
#include "archive/replay.h"
#include "archive/side_thread.h"
#include "archive/tar_reader.h"
#include "archive/tar_writer.h"
#include "archive/worker.h"
#include "archive/worker_job.h"
#include "sys/file.h"

namespace skiff::archive {

namespace {

/// Lets the C library and libarchive load what they load on first use (locale, character sets) while the
/// host's files are still the ones in view; afterwards they find nothing to load.
Result<void> warm_up() {
  std::string bytes;
  TarWriter tar([&](std::string_view piece) -> Result<void> {
    bytes += piece;
    return {};
  });
  Entry entry;
  entry.path = "\xc3\xbc";
  TRY(tar.header(entry));
  TRY(tar.finish());
  auto source = memory_source(std::move(bytes));
  TarReader reader(*source);
  while (TRY(reader.next(entry))) {
  }
  (void)spec::Digest::of("");
  return {};
}

Result<Answer> unpack_job(const Job& job, const sys::Fd& root, SideThread& aside) {
  const sys::Fd data(kDataFd);
  auto target = open_directory_below(root, job.path, Escape::Confine);
  if (!target && target.error().code() == ENOTDIR)
    return Error(Kind::InvalidArgument, "extraction point is not a directory", ENOTDIR);
  const sys::Fd directory = TRY(std::move(target));
  const sys::Fd recipe(job.recipe ? kRecipeFd : -1);
  auto source = TRY(open_source(data, job.options.limits));
  DigestSource counted(*source);
  AheadSource ahead(counted, aside);
  std::optional<Recorder> recorder;
  if (recipe) recorder.emplace(ahead, recipe);
  Answer answer;
  const ApplyStats stats = TRY(apply(recorder ? static_cast<Source&>(*recorder) : ahead, directory,
                                     job.options, recorder ? &*recorder : nullptr));
  if (recorder) TRY(recorder->finish());
  TRY(ahead.finish());
  answer.digest = TRY(counted.finish()).to_string();
  answer.tar_bytes = counted.bytes();
  answer.entries = stats.entries;
  answer.bytes = stats.bytes;
  return answer;
}

Result<Answer> pack_layer_job(const Job& job, const sys::Fd& root) {
  const sys::Fd out(kDataFd);
  const sys::Fd recipe(job.recipe ? kRecipeFd : -1);
  const Sink sink = [&](std::string_view bytes) { return sys::write_all(out, bytes); };
  Answer answer;
  if (recipe) {
    const Replayed packed = TRY(replay(recipe, root, sink));
    answer.digest = packed.digest.to_string();
    answer.tar_bytes = packed.bytes;
  } else {
    const Diff packed = TRY(diff(root, sink, std::set<std::string>(job.names.begin(), job.names.end())));
    answer.digest = packed.diff_id.to_string();
    answer.tar_bytes = packed.tar_bytes;
  }
  return answer;
}

Result<Answer> unpack_images_job(const Job& job, const sys::Fd& root, SideThread& aside) {
  const sys::Fd data(kDataFd);
  // The sizes of its layers are limited, not theirs together; but an archive may be a bomb as a layer may.
  auto source = TRY(open_source(data, {0, 0, job.options.limits.ratio}));
  OnEntryProgress tell;
  if (job.progress)
    tell = [](const EntryProgress& progress) {
      const std::string line = json::encode(progress) + "\n";
      // Should nobody read it any more, the answer will not be read either.
      [[maybe_unused]] const auto told = ::write(kAnswerFd, line.data(), line.size());
    };
  Answer answer;
  answer.archive_entries =
      TRY(unpack_images(*source, root, std::set<std::string>(job.names.begin(), job.names.end()),
                        job.options.limits, aside, tell));
  // Whoever sends the rest is waiting for it to be read.
  while (!TRY(source->next()).empty()) {
  }
  return answer;
}

/// What a layer's table of contents tells, as the index that its files are served from.
Result<Answer> contents_job(const Job& job) {
  const sys::Fd data(kDataFd);
  const sys::Fd out(kRecipeFd);
  const auto index = TRY(parse_contents(TRY(sys::read_all(data, kLargestContents)),
                                        {job.blob_size, job.estargz}, job.options.limits));
  TRY(sys::write_all(out, encode_index(index)));
  Answer answer;
  answer.entries = index.nodes.size();
  answer.bytes = index.bytes;
  return answer;
}

/// A table of 64 MiB can say things that take gigabytes as they are read; what is honest takes a tenth.
constexpr rlim_t kMostMemoryOfContents = rlim_t{2} << 30;

Result<void> limit_memory(const Job& job) {
  // A sanitizer's shadow of the memory counts as memory.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  const rlimit limit{kMostMemoryOfContents, kMostMemoryOfContents};
  if (job.kind == "contents" && ::setrlimit(RLIMIT_AS, &limit) != 0) return fail_errno("setrlimit");
#else
  (void)job;
#endif
  return {};
}

bool unpacks(const Job& job) { return job.kind == "unpack" || job.kind == "unpack-images"; }

/// `aside` is there for a job that unpacks.
Result<Answer> work(const Job& job, SideThread* aside) {
  const sys::Fd root = TRY(sys::open_directory("/"));
  if (job.kind == "unpack") return unpack_job(job, root, *aside);
  if (job.kind == "unpack-images") return unpack_images_job(job, root, *aside);
  if (job.kind == "pack-layer") return pack_layer_job(job, root);
  if (job.kind == "contents") return contents_job(job);
  Answer answer;
  if (job.kind == "pack") {
    TRY(export_path(root, job.path, sys::Fd(kDataFd)));
  } else if (job.kind == "pack-inside") {
    TRY(export_entries(root, job.path, sys::Fd(kDataFd)));
  } else if (job.kind == "stat") {
    answer.stat = TRY(path_stat(root, job.path));
  } else {
    return fail(Kind::Internal, "the archive worker knows no job {}", job.kind);
  }
  return answer;
}

Result<Answer> run() {
  Job job;
  {
    const sys::Fd text(kJobFd);
    job = TRY(json::decode<Job>(TRY(sys::read_all(text))));
  }
  TRY(warm_up());
  // Before there is a second thread: with one, mount namespaces cannot be entered (setns(2)).
  TRY(enter_root(job));
  std::optional<SideThread> aside;
  if (unpacks(job)) aside.emplace();
  TRY(limit_memory(job));
  TRY(confine_process());
  return work(job, aside ? &*aside : nullptr);
}

}  // namespace

void worker_main(int argc, char** argv) {
  if (argc < 1 || std::string_view(argv[0]) != kWorkerName) return;
  ::umask(0);
  (void)std::signal(SIGPIPE, SIG_IGN);
  for (const int fd : {kJobFd, kAnswerFd, kDataFd, kRootFd, kNamespaceFd, kRecipeFd})
    (void)::fcntl(fd, F_SETFD, FD_CLOEXEC);
  auto answer = run();
  if (!answer) {
    Answer failed;
    failed.error = answer.error().message().empty() ? "failed" : answer.error().message();
    failed.kind = static_cast<int>(answer.error().kind());
    failed.code = answer.error().code();
    answer = std::move(failed);
  }
  const sys::Fd out(kAnswerFd);
  const bool told = sys::write_all(out, json::encode(*answer)).ok();
  // Without exit handlers: some of them make system calls that are not allowed any more.
  ::_exit(told ? 0 : 1);
}

}  // namespace skiff::archive
