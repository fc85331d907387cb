#pragma once

#include <array>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "runtime/criu_protocol.h"
#include "sys/fd.h"
#include "sys/spawn.h"

namespace skiff::runtime {

/// One `criu swrk` process, found in $PATH, and the conversation with it:
///
///     auto criu = TRY(Criu::start({}));
///     TRY(criu.require({.memory_tracking = true}));
///     TRY(criu.perform(criu::Type::PreDump, options, [](auto& notification) { return success(); }));
///     TRY(criu.finish());
///
/// Dropping it hangs up, upon which criu undoes what it has begun, and waits for its end.
class Criu {
 public:
  struct Setting {
    std::array<int, 3> streams = {-1, -1, -1};               ///< -1: /dev/null
    std::vector<int> keep;                                   ///< become the descriptors kFirstKept ... there
    std::vector<std::pair<std::string, std::string>> binds;  ///< SpawnOptions::binds
  };
  static constexpr int kFirstKept = 4;

  /// Starts it and asks for its version. Unsupported: it is not installed, or older than 3.16, with which
  /// everything is known that is used here.
  static Result<Criu> start(const Setting& setting);
  /// Speaks to whoever is at the other end of `socket`.
  Criu(sys::Fd socket, sys::Process process);

  Criu(Criu&&) = default;
  Criu& operator=(Criu&&) = delete;
  ~Criu();

  int pid() const { return process_.pid(); }
  Result<void> check_version();
  /// Unsupported: `criu is missing features: [MemTrack]`.
  Result<void> require(const criu::Features& wanted);

  struct Notification {
    std::string script;        ///< "setup-namespaces", "post-restore"
    int pid = 0;               ///< of the first process, as we see it
    std::vector<sys::Fd> fds;  ///< "orphan-pts-master"
  };
  using Handler = std::function<Result<void>(Notification& notification)>;
  /// Lets it work to the end. What it tells meanwhile goes to `handler`, whose error stops the work and comes
  /// back. Internal: `criu failed: type DUMP errno 0`; no more is known here than in its log.
  Result<void> perform(criu::Type type, const criu::Options& options, const Handler& handler);

  /// Hangs up and reaps it: the wait status.
  Result<int> finish();

 private:
  Result<void> tell(const criu::Request& request);
  Result<criu::Response> hear(std::vector<sys::Fd>* fds = nullptr);
  Result<criu::Response> ask(criu::Request request);
  /// It has hung up: with what status.
  Error ended();

  sys::Fd socket_;
  sys::Process process_;
};

}  // namespace skiff::runtime
