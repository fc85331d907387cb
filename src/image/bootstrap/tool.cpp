#include "image/bootstrap/tool.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <deque>

#include "base/strings.h"
#include "image/bootstrap/rootfs.h"
#include "spec/digest.h"
#include "sys/file.h"
#include "sys/spawn.h"

namespace skiff::image {

namespace {

constexpr const char* kAptHelper = "/usr/lib/apt/apt-helper";
constexpr std::size_t kLastLines = 8;
constexpr int kCancelPollMilliseconds = 200;

/// Nothing of the daemon's environment but what a mirror behind a proxy needs.
std::vector<std::string> tool_environment(std::int64_t epoch) {
  std::vector<std::string> environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                          "LC_ALL=C.UTF-8", "HOME=/root", "DEBIAN_FRONTEND=noninteractive",
                                          fmt::format("SOURCE_DATE_EPOCH={}", epoch)};
  for (const char* name : {"http_proxy", "https_proxy", "no_proxy"})
    if (const char* value = std::getenv(name)) environment.push_back(fmt::format("{}={}", name, value));
  return environment;
}

std::vector<std::string> tool_arguments(const BootstrapTool& tool, const ToolRun& run) {
  if (tool.program.ends_with("/debootstrap")) {
    std::vector<std::string> arguments = {"debootstrap", "--variant=minbase"};
    const AptSource& main = run.sources.front();
    if (!main.signed_by.empty()) arguments.push_back("--keyring=" + main.signed_by);
    arguments.push_back("--components=" + join(main.components, ","));
    arguments.insert(arguments.end(), {run.suite, run.target, main.uri});
    return arguments;
  }
  std::vector<std::string> arguments = {"mmdebstrap", "--mode=root", "--variant=minbase",
                                        "--format=directory"};
  if (run.slim)
    for (const auto& option : slim_options()) arguments.push_back("--dpkgopt=" + option);
  arguments.insert(arguments.end(), {run.suite, run.target});
  for (const auto& source : run.sources) arguments.push_back(source.line());
  return arguments;
}

/// Cuts a stream into lines; carriage returns, with which progress bars overwrite themselves, end lines as
/// well.
class Lines {
 public:
  explicit Lines(const std::function<void(std::string_view)>& progress) : progress_(progress) {}
  void add(std::string_view bytes) {
    for (const char c : bytes) {
      if (c != '\n' && c != '\r')
        line_ += c;
      else
        flush();
    }
  }
  void flush() {
    const std::string line(trim(std::exchange(line_, {})));
    if (line.empty()) return;
    if (progress_) progress_(line);
    last_.push_back(line);
    if (last_.size() > kLastLines) last_.pop_front();
  }
  /// The error lines among the last ones, or all of those.
  std::string tail() const {
    std::string errors;
    std::string all;
    for (const auto& line : last_) {
      all += "\n" + line;
      if (line.starts_with("E: ") || line.starts_with("Err:")) errors += "\n" + line;
    }
    return errors.empty() ? all : errors;
  }

 private:
  const std::function<void(std::string_view)>& progress_;
  std::string line_;
  std::deque<std::string> last_;
};

}  // namespace

Result<BootstrapTool> find_bootstrap_tool() {
  for (const char* program : {"/usr/bin/mmdebstrap", "/usr/sbin/debootstrap"}) {
    if (!sys::exists(program)) continue;
    sys::SpawnOptions options;
    options.program = program;
    options.arguments = {program, "--version"};
    const auto output = TRY(sys::run(std::move(options)));
    return BootstrapTool{program, std::string(trim(output.standard_output))};
  }
  return fail(Kind::Unsupported,
              "making a base image needs mmdebstrap or debootstrap: apt-get install mmdebstrap");
}

std::int64_t release_date(std::string_view text) {
  for (const auto& line : split(text, '\n')) {
    if (!line.starts_with("Date:")) continue;
    std::tm fields{};
    const std::string date(trim(std::string_view(line).substr(5)));
    if (::strptime(date.c_str(), "%a, %d %b %Y %H:%M:%S", &fields)) return ::timegm(&fields);
  }
  return 0;
}

Result<ReleaseFile> fetch_release(const AptSource& source, const std::string& work) {
  if (!sys::exists(kAptHelper))
    return fail(Kind::Unsupported, "making a base image needs apt's {} to reach the mirror", kAptHelper);
  const std::string url = fmt::format("{}/dists/{}/InRelease", source.uri, source.suite);
  const std::string file = work + "/InRelease";
  TRY(sys::remove_tree(file));
  sys::SpawnOptions options;
  options.program = kAptHelper;
  options.arguments = {
      "apt-helper", "-oAPT::Sandbox::User=root", "-oAcquire::Retries=2", "download-file", url, file};
  options.environment = tool_environment(0);
  const auto output = TRY(sys::run(std::move(options)));
  if (output.status != 0 || !sys::exists(file)) {
    const std::string said = output.standard_output + output.standard_error;
    if (said.find("404") != std::string::npos || said.find("File not found") != std::string::npos)
      return fail(Kind::NotFound, "the mirror {} has no suite {}", source.uri, quote(source.suite));
    std::string reason;
    for (const auto& line : split(said, '\n'))
      if (line.starts_with("E: ")) reason = line.substr(3);
    return fail(Kind::Unavailable, "cannot fetch {}: {}", url, reason.empty() ? "apt-helper failed" : reason);
  }
  const std::string text = TRY(sys::read_file(file, 16 << 20));
  return ReleaseFile{spec::Digest::of(text).to_string(), release_date(text)};
}

Result<void> run_bootstrap_tool(const BootstrapTool& tool, const ToolRun& run) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe");
  const sys::Fd in(ends[0]);
  sys::Fd out(ends[1]);
  sys::SpawnOptions options;
  options.program = tool.program;
  options.arguments = tool_arguments(tool, run);
  options.environment = tool_environment(run.epoch);
  options.standard_output = options.standard_error = out.get();
  options.new_session = true;
  options.directory = "/";
  const sys::Process process = TRY(sys::spawn(options));
  out.reset();
  Lines lines(run.progress);
  std::string buffer(16 << 10, '\0');
  bool told = false;
  for (;;) {
    if (run.cancelled && *run.cancelled && !std::exchange(told, true)) (void)process.signal(SIGTERM);
    pollfd waiting{in.get(), POLLIN, 0};
    if (::poll(&waiting, 1, kCancelPollMilliseconds) <= 0) continue;
    const std::size_t count = TRY(sys::read_some(in, buffer.data(), buffer.size()));
    if (count == 0) break;
    lines.add({buffer.data(), count});
  }
  lines.flush();
  const int status = TRY(process.wait());
  if (told) return fail(Kind::Cancelled, "cancelled");
  if (status == 0) return {};
  return fail(Kind::Unavailable, "{} failed:{}", run.suite, lines.tail());
}

}  // namespace skiff::image
