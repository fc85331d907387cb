#include "monitor/external_program.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/strings.h"
#include "monitor/exec_session.h"
#include "runtime/oom_score.h"
#include "sys/file.h"

namespace skiff::monitor {
namespace {

/// Of what a call prints; more is refused by the kernel.
constexpr std::size_t kMostOutput = 1 << 20;
constexpr std::size_t kMostLog = 1 << 20;

/// A file in memory for a call's input or output. Pipes would want somebody at the other end meanwhile.
Result<sys::Fd> memory_file(const char* name) {
  sys::Fd file(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return fail_errno("memfd_create");
  return file;
}

Result<sys::Fd> output_file() {
  auto file = TRY(memory_file("output"));
  if (::ftruncate(file.get(), kMostOutput) != 0 || ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_GROW) != 0)
    return fail_errno("bound the output");
  return file;
}

Result<sys::Fd> input_file(std::string_view text) {
  auto file = TRY(memory_file("input"));
  TRY(sys::write_all(file, text));
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return fail_errno("lseek");
  return file;
}

/// One line of the log.
struct LogLine {
  std::string level;
  std::string message;
};
void describe(json::Fields& f, LogLine& line) {
  f("level", line.level);
  f("msg", line.message);
}

/// The last error in the runtime's log; "" when there is none. Its own errors are told in its place, as in
/// Docker.
Result<std::string> last_error(const std::string& path) {
  auto text = sys::read_file(path, kMostLog);
  if (!text && text.error().code() == ENOENT)
    return fail(Kind::NotFound, "open {}: no such file or directory", path);
  std::string last;
  for (const std::string& line : split(TRY(std::move(text)), '\n')) {
    if (trim(line).empty()) continue;
    auto entry = TRY(json::decode<LogLine>(line));
    if (entry.level == "error") last = std::move(entry.message);
  }
  return std::string(trim(last));
}

Error spawn_error(const std::string& program, const Error& error) {
  if (error.code() == ENOENT && program.find('/') == std::string::npos)
    return fail(Kind::NotFound, "exec: {}: executable file not found in $PATH", quote(program));
  if (error.code() == 0) return error;
  return Error::from_errno("fork/exec " + program, error.code());
}

}  // namespace

Kind kind_of_failure(std::string_view sentence) {
  const std::string text = to_lower(sentence);
  const auto contains = [&](std::string_view part) { return text.find(part) != std::string::npos; };
  if (contains("permission denied")) return Kind::Forbidden;
  if (contains("not a directory")) return Kind::InvalidArgument;
  if (contains("executable file not found") || contains("no such file or directory")) return Kind::NotFound;
  return Kind::Internal;
}

Result<void> ExternalCall::finish(std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  std::optional<int> status;
  while (!status) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      kill();
      TRY(process_.wait());
      return fail(Kind::Unavailable, "{} did not end within {} s", program_,
                  std::chrono::duration_cast<std::chrono::seconds>(limit).count());
    }
    status = TRY(process_.wait_for(left));
  }
  if (*status == 0) return success();
  const std::string printed = output();
  return fail(Kind::Internal, "{} did not terminate successfully: exit status {}{}{}", program_,
              exit_code(*status), printed.empty() ? "" : ": ", printed);
}

void ExternalCall::kill() const {
  // The group first: as long as its leader is not reaped, the number is nobody else's.
  ::kill(-process_.pid(), SIGKILL);
  (void)process_.signal(SIGKILL);  // before setsid(2) it had no group
}

std::string ExternalCall::output() const {
  if (!output_) return {};
  const off_t size = ::lseek(output_.get(), 0, SEEK_CUR);
  std::string text(size > 0 ? static_cast<std::size_t>(size) : 0, '\0');
  const ssize_t got = ::pread(output_.get(), text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return std::string(trim(text));
}

Error ExternalProgram::explain(std::string_view what, const Command& command, const Error& error) const {
  if (error.kind() == Kind::Unavailable) return error.with_context(fmt::format("{} failed", what));
  const auto logged = last_error(file(command.log));
  std::string sentence;
  if (!logged)
    sentence = fmt::format("{} failed: unable to retrieve OCI runtime error ({}): {}", what,
                           logged.error().message(), error.message());
  else
    sentence = fmt::format("{} failed: {}", what, logged->empty() ? error.message() : *logged);
  const Kind kind = kind_of_failure(sentence);
  return Error(kind, std::move(sentence), error.code());
}

Result<ExternalCall> ExternalProgram::spawn(const Command& command) const {
  const std::string log = file(command.log);
  if (::unlink(log.c_str()) != 0 && errno != ENOENT) return fail_errno("remove {}", log);
  sys::SpawnOptions options{.program = runtime_.path,
                            .search_path = true,
                            .arguments = {runtime_.path},
                            .environment = std::vector<std::string>{
                                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}};
  auto& words = options.arguments;
  words.insert(words.end(), runtime_.arguments.begin(), runtime_.arguments.end());
  for (const std::string& word : {std::string("--root"), file("state"), std::string("--log"), log,
                                  std::string("--log-format"), std::string("json")})
    words.push_back(word);
  words.insert(words.end(), command.words.begin(), command.words.end());
  options.directory = "/";
  options.new_session = true;
  options.die_with_parent = true;

  sys::Fd input;
  sys::Fd output;
  if (command.streams.out >= 0) {
    options.standard_input = command.streams.in;
    options.standard_output = command.streams.out;
    options.standard_error = command.streams.err;
  } else {
    if (!command.input.empty()) input = TRY(input_file(command.input));
    output = TRY(output_file());
    options.standard_input = input.get();
    options.standard_output = output.get();
    options.standard_error = output.get();
  }
  // The monitor's own score is not for what it starts.
  const runtime::OomScoreForNow score("0");
  auto process = sys::spawn(options);
  if (!process) return spawn_error(runtime_.path, process.error());
  return ExternalCall(runtime_.path, *std::move(process), std::move(output));
}

Result<std::string> ExternalProgram::run(std::string_view what, const Command& command,
                                         std::chrono::milliseconds limit) const {
  auto call = spawn(command);
  if (!call) return what.empty() ? call.error() : explain(what, command, call.error());
  if (auto done = call->finish(limit); !done)
    return what.empty() ? done.error() : explain(what, command, done.error());
  return call->output();
}

Result<void> ExternalProgram::remove() const {
  if (!sys::exists(file("state"))) return success();
  TRY(run("OCI runtime delete", {.words = {"delete", "--force", id_}}));
  return success();
}

}  // namespace skiff::monitor
