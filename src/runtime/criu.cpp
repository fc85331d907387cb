#include "runtime/criu.h"

#include <sys/wait.h>

#include "base/strings.h"
#include "sys/file.h"
#include "sys/socket.h"

namespace skiff::runtime {
namespace {

constexpr int kLeastVersion = 31600;
constexpr int kSocketThere = 3;

}  // namespace

Criu::Criu(sys::Fd socket, sys::Process process) : socket_(std::move(socket)), process_(std::move(process)) {}

Criu::~Criu() { (void)finish(); }

Result<Criu> Criu::start(const Setting& setting) {
  auto [ours, theirs] = TRY(sys::packet_pair());
  const auto null = TRY(sys::open_file("/dev/null", O_WRONLY));
  sys::SpawnOptions options;
  options.program = "criu";
  options.search_path = true;
  options.arguments = {"criu", "swrk", std::to_string(kSocketThere)};
  options.standard_input = setting.streams[0];
  options.standard_output = setting.streams[1];
  options.standard_error = setting.streams[2] >= 0 ? setting.streams[2] : null.get();
  options.binds = setting.binds;
  options.keep.emplace_back(theirs.get(), kSocketThere);
  for (std::size_t i = 0; i < setting.keep.size(); ++i)
    options.keep.emplace_back(setting.keep[i], kFirstKept + static_cast<int>(i));
  auto process = sys::spawn(options);
  // Not a directory that could not be bound.
  if (!process && process.error().kind() == Kind::NotFound && process.error().message().starts_with("exec "))
    return Error(Kind::Unsupported,
                 "CRIU version check failed: exec: \"criu\": executable file not found in $PATH");
  Criu program(std::move(ours), TRY(std::move(process)));
  // Only criu holds the other end now: when it dies we are told.
  theirs.reset();
  TRY(program.check_version());
  return program;
}

Error Criu::ended() {
  const auto status = finish();
  if (!status) return Error(Kind::Internal, "criu ended without an answer");
  return WIFSIGNALED(*status)
             ? fail(Kind::Internal, "criu ended without an answer: signal {}", WTERMSIG(*status))
             : fail(Kind::Internal, "criu ended without an answer: exit status {}", WEXITSTATUS(*status));
}

Result<void> Criu::tell(const criu::Request& request) {
  // Of a socket pair nothing fails but the other end.
  if (!sys::send_packet(socket_, criu::encode(request))) return ended();
  return {};
}

Result<criu::Response> Criu::hear(std::vector<sys::Fd>* fds) {
  auto packet = sys::receive_packet(socket_);
  if (!packet) return ended();
  if (fds) *fds = std::move(packet->fds);
  return criu::decode(packet->bytes);
}

Result<criu::Response> Criu::ask(criu::Request request) {
  request.keep_open = true;
  TRY(tell(request));
  auto response = TRY(hear());
  if (!response.success)
    return fail(Kind::Unsupported, "criu failed: type {} errno {}", to_string(response.type),
                response.error_number);
  return response;
}

Result<void> Criu::check_version() {
  criu::Request request;
  request.type = criu::Type::Version;
  const auto response = TRY_CONTEXT(ask(request), "CRIU version check failed");
  if (response.version < kLeastVersion)
    return fail(Kind::Unsupported, "CRIU version {} must be {} or higher", response.version, kLeastVersion);
  return {};
}

Result<void> Criu::require(const criu::Features& wanted) {
  if (!wanted.memory_tracking && !wanted.lazy_pages) return {};
  criu::Request request;
  request.type = criu::Type::FeatureCheck;
  request.features = wanted;
  const auto response = TRY_CONTEXT(ask(request), "CRIU feature check failed");
  std::vector<std::string> missing;
  if (wanted.memory_tracking && !response.features.memory_tracking) missing.emplace_back("MemTrack");
  if (wanted.lazy_pages && !response.features.lazy_pages) missing.emplace_back("LazyPages");
  if (missing.empty()) return {};
  return fail(Kind::Unsupported, "criu is missing features: [{}]", join(missing, " "));
}

Result<void> Criu::perform(criu::Type type, const criu::Options& options, const Handler& handler) {
  criu::Request request;
  request.type = type;
  request.options = options;
  TRY(tell(request));
  for (;;) {
    Notification notification;
    const auto response = TRY(hear(&notification.fds));
    if (!response.success)
      return fail(Kind::Internal, "criu failed: type {} errno {}", to_string(response.type),
                  response.error_number);
    if (response.type != criu::Type::Notify) return {};
    notification.script = response.script;
    notification.pid = response.pid;
    auto handled = handler(notification);
    criu::Request answer;
    answer.type = criu::Type::Notify;
    answer.notify_success = handled.ok();
    TRY(tell(answer));
    if (handled) continue;
    // It takes back what it has done, and says so or just ends.
    while (hear()) {
    }
    return handled;
  }
}

Result<int> Criu::finish() {
  socket_.reset();
  if (!process_.valid()) return Error(Kind::NotFound, "criu has ended already");
  return std::exchange(process_, sys::Process()).wait();
}

}  // namespace skiff::runtime
