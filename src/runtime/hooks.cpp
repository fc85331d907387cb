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

Result<std::string> content(const sys::Fd& fd) {
  constexpr std::size_t kShown = 64 << 10;
  if (::lseek(fd.get(), 0, SEEK_SET) < 0) return fail_errno("lseek");
  std::string text(kShown, '\0');
  text.resize(TRY(sys::read_some(fd, text.data(), text.size())));
  return text;
}

Result<void> run_hook(const spec::oci::Hook& hook, const std::string& state) {
  const auto input = TRY(memory_file(state));
  const auto output = TRY(memory_file({}));
  const auto errors = TRY(memory_file({}));
  sys::SpawnOptions options;
  options.program = hook.path;
  options.arguments = hook.args.empty() ? std::vector<std::string>{hook.path} : hook.args;
  if (!hook.env.empty()) options.environment = hook.env;  // none given: the runtime's own, as runc does
  options.standard_input = input.get();
  options.standard_output = output.get();
  options.standard_error = errors.get();
  const auto process = TRY(sys::spawn(options));
  int status = 0;
  if (hook.timeout) {
    const auto ended = TRY(process.wait_for(std::chrono::seconds(*hook.timeout)));
    if (!ended) {
      (void)process.signal(SIGKILL);
      (void)process.wait();
      return fail(Kind::Unavailable, "hook ran past specified timeout of {:.1f}s",
                  static_cast<double>(*hook.timeout));
    }
    status = *ended;
  } else {
    status = TRY(process.wait());
  }
  if (status == 0) return {};
  const auto how = WIFSIGNALED(status) ? fmt::format("signal: {}", WTERMSIG(status))
                                       : fmt::format("exit status {}", WEXITSTATUS(status));
  return fail(Kind::Internal, "{}, stdout: {}, stderr: {}", how, trim(content(output).value_or("")),
              trim(content(errors).value_or("")));
}

Result<void> run_named_hook(const std::vector<spec::oci::Hook>& hooks, std::size_t index,
                            std::string_view name, const std::string& state) {
  TRY_CONTEXT(run_hook(hooks[index], state), "error running {} hook #{}", name, index);
  return {};
}

}  // namespace

Result<void> run_hooks(const std::vector<spec::oci::Hook>& hooks, std::string_view name,
                       const spec::oci::State& state) {
  if (hooks.empty()) return {};
  const auto text = json::encode(state);
  for (std::size_t i = 0; i < hooks.size(); ++i) TRY(run_named_hook(hooks, i, name, text));
  return {};
}

Result<void> run_all_hooks(const std::vector<spec::oci::Hook>& hooks, std::string_view name,
                           const spec::oci::State& state) {
  if (hooks.empty()) return {};
  const auto text = json::encode(state);
  Result<void> first;
  for (std::size_t i = 0; i < hooks.size(); ++i)
    if (auto result = run_named_hook(hooks, i, name, text); !result && first) first = std::move(result);
  return first;
}

}  // namespace skiff::runtime
