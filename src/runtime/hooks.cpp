#include "runtime/hooks.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/json.h"
#include "base/strings.h"
#include "sys/file.h"
#include "sys/spawn.h"

namespace skiff::runtime {
namespace {

Result<sys::Fd> memory_file(const std::string& text) {
  sys::Fd fd(::memfd_create("hook-state", MFD_CLOEXEC));
  if (!fd) return fail_errno("memfd_create");
  TRY(sys::write_all(fd, text));
  if (::lseek(fd.get(), 0, SEEK_SET) < 0) return fail_errno("lseek");
  return fd;
}

Result<void> run_hook(const spec::oci::Hook& hook, const std::string& state) {
  const auto input = TRY(memory_file(state));
  const sys::Fd output(::memfd_create("hook-output", MFD_CLOEXEC));
  if (!output) return fail_errno("memfd_create");
  sys::SpawnOptions options;
  options.program = hook.path;
  options.arguments = hook.args.empty() ? std::vector<std::string>{hook.path} : hook.args;
  if (!hook.env.empty()) options.environment = hook.env;  // none given: the runtime's own, as runc does
  options.standard_input = input.get();
  options.standard_output = output.get();
  options.standard_error = output.get();
  const auto process = TRY_CONTEXT(sys::spawn(options), "hook {}", hook.path);
  int status = 0;
  if (hook.timeout) {
    const auto ended = TRY(process.wait_for(std::chrono::seconds(*hook.timeout)));
    if (!ended) {
      (void)process.signal(SIGKILL);
      (void)process.wait();
      return fail(Kind::Unavailable, "hook {} ran past its timeout of {}s", hook.path, *hook.timeout);
    }
    status = *ended;
  } else {
    status = TRY(process.wait());
  }
  if (status == 0) return {};
  (void)::lseek(output.get(), 0, SEEK_SET);
  const auto words = sys::read_all(output, 64 << 10).value_or("");
  const auto how = WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status))
                                       : fmt::format("exit status {}", WEXITSTATUS(status));
  return fail(Kind::Internal, "error running hook {}: {}, output: {}", hook.path, how, trim(words));
}

}  // namespace

Result<void> run_hooks(const std::vector<spec::oci::Hook>& hooks, const spec::oci::State& state) {
  if (hooks.empty()) return {};
  const auto text = json::encode(state);
  for (const auto& hook : hooks) TRY(run_hook(hook, text));
  return {};
}

Result<void> run_all_hooks(const std::vector<spec::oci::Hook>& hooks, const spec::oci::State& state) {
  if (hooks.empty()) return {};
  const auto text = json::encode(state);
  Result<void> first;
  for (const auto& hook : hooks)
    if (auto result = run_hook(hook, text); !result && first) first = std::move(result);
  return first;
}

}  // namespace skiff::runtime
