// An external runtime that is a shell script: every verb of it can be made to fail, hang or talk nonsense.
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/ids.h"
#include "base/json.h"
#include "monitor/backend.h"
#include "monitor/console_socket.h"
#include "monitor/exec_session.h"
#include "monitor/external_bundle.h"
#include "monitor/external_exec.h"
#include "monitor/external_program.h"
#include "monitor/orphans.h"
#include "monitor/remains.h"
#include "sys/file.h"
#include "sys/socket.h"

namespace skiff::monitor {
namespace {

using namespace std::chrono_literals;

/// The verbs of a runtime whose container is a process of the host. $trouble holds lines "VERB WHAT".
constexpr const char* kFake = R"sh(#!/bin/sh
here=$(dirname "$0")
echo "$@" >>"$here/calls"
while [ $# -gt 0 ]; do
  case $1 in
    --root) root=$2; shift 2;; --log) log=$2; shift 2;; --log-format) shift 2;; --extra) shift;; *) break;;
  esac
done
verb=$1; shift
while [ $# -gt 0 ]; do
  case $1 in
    --bundle) bundle=$2; shift 2;; --pid-file) pidfile=$2; shift 2;; --process) process=$2; shift 2;;
    --console-socket|--resources|--format) shift 2;; --force|--detach) shift;; *) id=$1; break;;
  esac
done
signal=$2
case $(sed -n "s/^$verb //p" "$here/trouble" 2>/dev/null) in
  log) echo '{"level":"error","msg":"the log sentence"}' >>"$log"; exit 3;;
  info) echo '{"level":"info","msg":"no error"}' >>"$log"; echo "said on stderr" >&2; exit 3;;
  silent) exit 3;;
  garbage) echo 'nonsense' >>"$log"; echo nonsense; exit 3;;
  nonsense) echo nonsense; exit 0;;
  killed) kill -9 $$;;
  hang) sleep 1000;;
  early) exit 0;;
  foreign) echo 1 >"$pidfile"; exit 0;;
esac
case $verb in
  create) mkdir -p "$root/$id"; ls "$bundle/rootfs" >"$here/rootfs-as-seen"
          setsid sleep 1000 & echo $! >"$pidfile"; echo $! >"$root/$id/pid";;
  exec) sh -c 'sleep 0.1; exit 7' & echo $! >"$pidfile";;
  kill) kill -s "$signal" "$(cat "$root/$id/pid")";;
  update) cat >"$here/updated";;
  ps) echo "[$(cat "$root/$id/pid"), 4711]";;
  delete) [ ! -e "$root/$id/pid" ] || kill -9 "$(cat "$root/$id/pid")" 2>/dev/null; rm -rf "$root/$id";;
esac
exit 0
)sh";

class ExternalTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(sys::make_directories(base_ + "/image/bin").ok());
    ASSERT_TRUE(sys::make_directories(directory()).ok());
    ASSERT_TRUE(sys::replace_file(fake(), kFake, 0755).ok());
    loop_ = *Loop::create();
    ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  }
  void TearDown() override {
    if (backend_ && backend_->process().valid()) {
      (void)backend_->process().signal(SIGKILL);
      (void)backend_->process().wait();
    }
    backend_.reset();
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    ::prctl(PR_SET_CHILD_SUBREAPER, 0);
    EXPECT_TRUE(sys::remove_tree(base_).ok());
  }

  std::string fake() const { return base_ + "/fake"; }
  std::string directory() const { return base_ + "/run/oci"; }
  ExternalRuntime runtime(const std::string& path) const {
    return {.name = "fake", .path = path, .arguments = {"--extra"}, .init = "/bin/true"};
  }
  ExternalProgram program(const std::string& path) const { return {runtime(path), "c1", directory()}; }
  void trouble(const std::string& lines) const {
    ASSERT_TRUE(sys::replace_file(base_ + "/trouble", lines).ok());
  }
  std::string calls() const { return sys::read_file(base_ + "/calls").value_or(""); }

  runtime::CreateOptions options() const {
    runtime::CreateOptions options;
    options.id = "c1";
    options.config.process.emplace().args = {"sleep", "1000"};
    options.config.linux_.emplace().cgroups_path = cgroup_;
    options.rootfs.push_back({.destination = "", .type = "bind", .source = base_ + "/image", .options = {}});
    const int null = null_.get();
    options.streams = {null, null, null};
    return options;
  }
  Result<void> create() {
    backend_ = external_backend(*loop_, runtime(fake()), directory());
    return backend_->create(options());
  }
  /// The sentence of an exec that does not get through.
  std::string exec_error() {
    auto pending = backend_->exec("e", spec::oci::Process{}, options().streams);
    if (!pending) return pending.error().message();
    const auto done = (*pending)->advance();
    return done ? "it went well" : done.error().message();
  }

  const std::string base_ = "/tmp/skiff-external-test-" + random_hex(6);
  const std::string cgroup_ = "skiff-external-test-" + random_hex(4) + "/c1";
  const sys::Fd null_ = *sys::open_file("/dev/null", O_RDWR);
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<Backend> backend_;
};

// --- the program
// ---------------------------------------------------------------------------------------------

TEST_F(ExternalTest, ProgramsThatCannotBeExecuted) {
  const auto sentence = [&](const std::string& path) {
    return program(path).run("OCI runtime start", {.words = {"start", "c1"}}).error();
  };
  const std::string no_log = "OCI runtime start failed: unable to retrieve OCI runtime error (open " +
                             directory() + "/log.json: no such file or directory): ";
  EXPECT_EQ(sentence("/no/such/program").message(),
            no_log + "fork/exec /no/such/program: no such file or directory");
  EXPECT_EQ(sentence("/no/such/program").kind(), Kind::NotFound);
  EXPECT_EQ(sentence("no-such-program").message(),
            no_log + "exec: \"no-such-program\": executable file not found in $PATH");
  ASSERT_TRUE(sys::replace_file(base_ + "/plain", "text", 0644).ok());
  EXPECT_EQ(sentence(base_ + "/plain").message(),
            no_log + "fork/exec " + base_ + "/plain: permission denied");
  EXPECT_EQ(sentence(base_ + "/plain").kind(), Kind::Forbidden);
  ASSERT_TRUE(sys::replace_file(base_ + "/plain", "text", 0755).ok());
  EXPECT_EQ(sentence(base_ + "/plain").message(),
            no_log + "fork/exec " + base_ + "/plain: exec format error");
}

TEST_F(ExternalTest, TheErrorIsTheLastOneInTheLog) {
  const auto sentence = [&](const std::string& what) {
    trouble("start " + what);
    return program(fake()).run("OCI runtime start", {.words = {"start", "c1"}}).error().message();
  };
  EXPECT_EQ(sentence("log"), "OCI runtime start failed: the log sentence");
  EXPECT_EQ(sentence("info"), "OCI runtime start failed: " + fake() +
                                  " did not terminate successfully: exit status 3: said on stderr");
  EXPECT_EQ(sentence("silent"), "OCI runtime start failed: unable to retrieve OCI runtime error (open " +
                                    directory() + "/log.json: no such file or directory): " + fake() +
                                    " did not terminate successfully: exit status 3");
  EXPECT_TRUE(sentence("killed").ends_with("did not terminate successfully: exit status 137"));
  const std::string garbage = sentence("garbage");
  EXPECT_TRUE(garbage.starts_with("OCI runtime start failed: unable to retrieve OCI runtime error ("))
      << garbage;
  EXPECT_TRUE(garbage.ends_with("exit status 3: nonsense")) << garbage;
}

TEST_F(ExternalTest, TheCommandLineIsRuncs) {
  ASSERT_TRUE(program(fake()).run("", {.words = {"start", "c1"}}).ok());
  EXPECT_EQ(calls(), "--extra --root " + directory() + "/state --log " + directory() +
                         "/log.json --log-format json start c1\n");
}

TEST_F(ExternalTest, OneThatHangsIsKilledWithAllItStarted) {
  trouble("start hang");
  const auto done = program(fake()).run("OCI runtime start", {.words = {"start", "c1"}}, 300ms);
  EXPECT_EQ(done.error().kind(), Kind::Unavailable);
  EXPECT_EQ(done.error().message(), "OCI runtime start failed: " + fake() + " did not end within 0 s");
  EXPECT_GT(::waitpid(-1, nullptr, 0), 0);  // its sleep, which has come to us and would take 1000 s
}

TEST_F(ExternalTest, OutputHasABound) {
  ASSERT_TRUE(
      sys::replace_file(base_ + "/talks", "#!/bin/sh\nhead -c 3000000 /dev/zero | tr '\\0' x\n", 0755).ok());
  const auto printed = program(base_ + "/talks").run("", {.words = {"ps"}});
  ASSERT_TRUE(printed.ok() || printed.error().kind() == Kind::Internal);
  if (printed) {
    EXPECT_LE(printed->size(), 1U << 20);
  }
}

TEST_F(ExternalTest, WhatASentenceStandsFor) {
  EXPECT_EQ(kind_of_failure("exec: \"x\": executable file not found in $PATH"), Kind::NotFound);
  EXPECT_EQ(kind_of_failure("executable file `x` not found: No such file or directory"), Kind::NotFound);
  EXPECT_EQ(kind_of_failure("open log: no such file or directory): x: permission denied"), Kind::Forbidden);
  EXPECT_EQ(kind_of_failure("mount: not a directory"), Kind::InvalidArgument);
  EXPECT_EQ(kind_of_failure("the log sentence"), Kind::Internal);
}

// --- what it is given
// ----------------------------------------------------------------------------------------

TEST_F(ExternalTest, TheConfigurationIsTheLibrarysWithPlacesFilledIn) {
  auto given = options();
  given.seccomp_profile = R"({"defaultAction": "SCMP_ACT_ALLOW"})";
  const auto text = external_config(given, "/b/rootfs", "/opt/init");
  ASSERT_TRUE(text.ok());
  const auto config = *json::decode<spec::oci::Runtime>(*text);
  EXPECT_EQ(config.root->path, "/b/rootfs");
  EXPECT_EQ(config.linux_->cgroups_path, "/" + cgroup_);
  EXPECT_EQ(config.linux_->seccomp->default_action, "SCMP_ACT_ALLOW");
  EXPECT_EQ(config.process->args, (std::vector<std::string>{"sleep", "1000"}));
  EXPECT_TRUE(config.mounts.empty());

  given.init = true;
  const auto with_init = *json::decode<spec::oci::Runtime>(*external_config(given, "/b/rootfs", "/opt/init"));
  EXPECT_EQ(with_init.process->args, (std::vector<std::string>{"/sbin/docker-init", "--", "sleep", "1000"}));
  EXPECT_EQ(with_init.mounts.at(0).source, "/opt/init");
  EXPECT_EQ(with_init.mounts.at(0).options, (std::vector<std::string>{"bind", "ro"}));
}

TEST_F(ExternalTest, OnlyATerminalIsAConsole) {
  auto console = ConsoleSocket::create(base_, "console.sock");
  ASSERT_TRUE(console.ok());
  struct stat info {};
  EXPECT_EQ(::stat(console->path().c_str(), &info), 0);
  EXPECT_LT(console->path().size(), 60U);
  EXPECT_FALSE(console->receive().ok());  // nobody came
  const auto send = [&](int fd) {
    const sys::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    console->path().copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_TRUE(sys::send_packet(socket, "x", fd < 0 ? std::vector<int>{} : std::vector<int>{fd}).ok());
  };
  send(-1);
  EXPECT_FALSE(console->receive().ok());
  send(null_.get());
  EXPECT_FALSE(console->receive().ok());
  const sys::Fd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  send(master.get());
  EXPECT_TRUE(console->receive().ok());
}

// --- the container
// -------------------------------------------------------------------------------------------

TEST_F(ExternalTest, TheLifeOfAContainer) {
  ASSERT_TRUE(sys::replace_file(base_ + "/image/marker", "").ok());
  const auto created = create();
  ASSERT_TRUE(created.ok()) << created.error().message();
  EXPECT_EQ(*sys::read_file(base_ + "/rootfs-as-seen"), "bin\nmarker\n");
  EXPECT_TRUE(sys::list_directory(directory() + "/bundle/rootfs")->empty());  // here nobody sees it mounted
  EXPECT_TRUE(backend_->start().ok());
  EXPECT_EQ(backend_->processes()->at(0), backend_->process().pid());
  spec::oci::Resources resources;
  resources.pids = spec::oci::Pids{7};
  EXPECT_TRUE(backend_->update(resources).ok());
  EXPECT_NE(sys::read_file(base_ + "/updated")->find("\"limit\":7"), std::string::npos);
  EXPECT_TRUE(backend_->pause(true).ok());
  EXPECT_TRUE(backend_->pause(false).ok());
  EXPECT_TRUE(backend_->pause(false).ok());  // nothing to do, and not asked
  EXPECT_EQ(calls().find("resume"), calls().rfind("resume"));

  auto pending = backend_->exec("e", spec::oci::Process{}, options().streams);
  ASSERT_TRUE(pending.ok());
  ASSERT_TRUE((*pending)->advance().ok());
  const auto executed = (*pending)->take();
  EXPECT_EQ(exit_code(*executed.process.wait()), 7);
  pending->reset();
  EXPECT_FALSE(sys::exists(directory() + "/exec-e.json"));

  EXPECT_TRUE(backend_->signal(SIGTERM).ok());
  EXPECT_EQ(exit_code(*backend_->process().wait()), 143);
  EXPECT_EQ(backend_->signal(SIGTERM).error().kind(), Kind::NotFound);
  EXPECT_TRUE(backend_->remove().ok());
  EXPECT_FALSE(sys::exists(directory()));
  backend_.reset();
}

TEST_F(ExternalTest, ACreationThatFailsLeavesNothing) {
  const std::string begin = "failed to create task for container: failed to create shim task: ";
  for (const auto& [what, sentence] : std::vector<std::pair<std::string, std::string>>{
           {"log", "OCI runtime create failed: the log sentence"},
           {"silent", "OCI runtime create failed: unable to retrieve OCI runtime error (open " + directory() +
                          "/log.json: no such file or directory): " + fake() +
                          " did not terminate successfully: exit status 3"},
           {"early", "failed to retrieve OCI runtime container pid: open " + directory() +
                         "/init.pid: no such file or directory"},
           {"foreign", "failed to retrieve OCI runtime container pid: " + directory() +
                           "/init.pid holds no process number"}}) {
    trouble("create " + what);
    const auto created = create();
    ASSERT_FALSE(created.ok()) << what;
    EXPECT_EQ(created.error().message(), begin + sentence);
    EXPECT_FALSE(sys::exists(directory()));
    backend_.reset();
  }
}

TEST_F(ExternalTest, EveryVerbThatFailsSaysSo) {
  ASSERT_TRUE(create().ok());
  trouble("start log\nexec log\npause log\nupdate info\nkill info\nps nonsense\n");
  const std::string exited = fake() + " did not terminate successfully: exit status 3: said on stderr";
  EXPECT_EQ(backend_->start().error().message(), "OCI runtime start failed: the log sentence");
  EXPECT_EQ(exec_error(), "OCI runtime exec failed: the log sentence");
  EXPECT_EQ(backend_->pause(true).error().message(), "OCI runtime pause failed: the log sentence");
  EXPECT_EQ(backend_->update({}).error().message(), exited);
  EXPECT_EQ(backend_->signal(SIGUSR1).error().message(), "unknown error after kill: " + exited);
  EXPECT_FALSE(backend_->processes().ok());
  trouble("exec foreign\nps silent\n");
  EXPECT_TRUE(exec_error().ends_with("/exec-e.pid holds no process number")) << exec_error();
  EXPECT_FALSE(backend_->processes().ok());
}

TEST_F(ExternalTest, SigkillGetsThroughWhateverTheRuntimeDoes) {
  ASSERT_TRUE(create().ok());
  trouble("kill log\n");
  EXPECT_TRUE(backend_->signal(SIGKILL).ok());
  EXPECT_EQ(exit_code(*backend_->process().wait()), 137);
  trouble("delete log\n");
  EXPECT_EQ(backend_->remove().error().message(), "OCI runtime delete failed: the log sentence");
  EXPECT_FALSE(sys::exists(directory()));  // all the same
  backend_.reset();
}

TEST_F(ExternalTest, AnExecThatIsGivenUpEnds) {
  ASSERT_TRUE(create().ok());
  trouble("exec hang\n");
  auto pending = backend_->exec("e", spec::oci::Process{}, options().streams);
  ASSERT_TRUE(pending.ok());
  (*pending)->give_up();
  EXPECT_FALSE((*pending)->advance().ok());
}

TEST_F(ExternalTest, WhatAKilledMonitorLeavesIsRemoved) {
  ASSERT_TRUE(create().ok());
  const Remains remains{.cgroup = cgroup_, .state_directory = base_, .runtime = runtime(fake())};
  EXPECT_TRUE(remove_remains("c1", base_ + "/run", remains).ok());
  EXPECT_EQ(exit_code(*backend_->process().wait()), 137);
  EXPECT_FALSE(sys::exists(directory()));
  EXPECT_NE(calls().find("delete --force c1"), std::string::npos);
  backend_.reset();
}

// --- orphans
// -------------------------------------------------------------------------------------------------

TEST_F(ExternalTest, OrphansAreReapedAndOthersLeftAlone) {
  auto orphans = Orphans::adopt(*loop_);
  ASSERT_TRUE(orphans.ok());
  // The shell ends before its child does, which is then nobody's.
  auto shell = sys::spawn({.program = "/bin/sh", .arguments = {"sh", "-c", "sleep 0.05 & exit 4"}});
  ASSERT_TRUE(shell.ok());
  int code = -1;
  std::unique_ptr<Loop::Watch> watch;
  watch = *loop_->watch(shell->pidfd(), EPOLLIN, [&](std::uint32_t) {
    watch.reset();
    code = exit_code(*shell->wait());
  });
  std::unique_ptr<Loop::Timer> poll;
  std::function<void()> look = [&] {
    siginfo_t info{};
    const bool left = ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
    if (code >= 0 && !left && errno == ECHILD) return loop_->stop();
    poll = loop_->after(20ms, look);
  };
  look();
  const auto limit = loop_->after(20s, [&] { loop_->stop(); });
  ASSERT_TRUE(loop_->run().ok());
  EXPECT_EQ(code, 4);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST_F(ExternalTest, AProcessOfSomebodyElseIsNotTaken) {
  ASSERT_TRUE(sys::replace_file(base_ + "/pid", std::to_string(::getppid())).ok());
  EXPECT_NE(process_in(base_ + "/pid").error().message().find("not one that the runtime made"),
            std::string::npos);
}

}  // namespace
}  // namespace skiff::monitor
