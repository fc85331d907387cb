#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "api/service.h"
#include "archive/worker.h"
#include "base/log.h"
#include "base/undo.h"
#include "cmd/daemon/log_tls.h"
#include "cmd/daemon/options.h"
#include "cmd/daemon/pidfile.h"
#include "engine/engine.h"
#include "http/address.h"
#include "http/server.h"
#include "lazy/server.h"
#include "spec/program_version.h"
#include "sys/file.h"

/// The daemon: reads its options, opens the engine, serves the API until it is told to stop.
namespace skiff {
namespace {

constexpr std::chrono::seconds kGrace{5};

/// The signals that end or reload the engine, taken by the main thread alone.
sigset_t own_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGQUIT, SIGHUP}) ::sigaddset(&set, signal);
  return set;
}

/// Two engines on one data root would destroy each other's records.
Result<sys::Fd> lock_root(const std::string& root) {
  auto lock = TRY(sys::open_file(root + "/lock", O_RDWR | O_CREAT, 0600));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(Kind::Conflict, "another engine uses the data root {}", root);
  return lock;
}

struct Listeners {
  std::vector<sys::Fd> sockets;
  UndoStack files;  ///< unix sockets go when the engine ends
};

Result<Listeners> listen_on(const spec::EngineConfig& config) {
  Listeners out;
  for (const auto& host : config.hosts) {
    const auto address = TRY(http::Address::parse(host));
    out.sockets.push_back(TRY_CONTEXT(http::listen(address, {config.socket_group, 0660}), "listen {}", host));
    if (address.is_unix)
      out.files.add([path = address.path] { ::unlink(path.c_str()); });
    else
      log::warning("{} is open to everybody who can reach it: there is no TLS and no login on it", host);
  }
  return out;
}

/// What a running engine takes over: whether it says more in its log, and the policy.
void reload(const daemon::Options& options, engine::Engine& engine) {
  const auto debug = daemon::read_debug(options.config_file, options.config.debug);
  if (!debug.ok())
    log::error("reload: {}", debug.error().message());
  else
    log::set_level(*debug ? log::Level::Debug : log::Level::Info);
  if (const auto read = engine.trust.reload(); !read.ok())
    log::error("reload: {}; the policy stays as it was", read.error().message());
}

void wait_until_told_to_stop(const daemon::Options& options, engine::Engine& engine) {
  const sigset_t signals = own_signals();
  while (true) {
    const int signal = ::sigwaitinfo(&signals, nullptr);
    if (signal < 0) continue;
    if (signal != SIGHUP) {
      log::info("stopping on signal {}", signal);
      return;
    }
    reload(options, engine);
  }
}

Result<void> run(const daemon::Options& options) {
  const auto& config = options.config;
  TRY(sys::make_directories(config.data_root, 0710));
  TRY(sys::make_directories(config.exec_root, 0711));
  const auto lock = TRY(lock_root(config.data_root));
  const auto pidfile = TRY(daemon::Pidfile::create(config.pidfile));
  // Listening comes first: who connects now waits until the engine is open instead of being refused.
  auto listeners = TRY(listen_on(config));
  const auto engine = TRY(engine::Engine::open(config));
  const auto server =
      TRY(http::Server::start(std::move(listeners.sockets), api::make_handler(*engine, config)));
  for (const auto& host : config.hosts) log::info("API listens on {}", host);
  ::malloc_trim(0);  // what opening needed is not needed any more
  wait_until_told_to_stop(options, *engine);
  engine->stop_fetching();
  server->stop(kGrace);
  return {};
}

/// Proxies of the configuration take the place of the environment's, for all that is fetched by us or by a
/// program of ours. Before there are threads: the environment is nobody's to guard.
void take_proxies(const daemon::Proxies& proxies) {
  const auto take = [](const char* name, const char* lower, const std::string& value) {
    if (value.empty()) return;
    ::setenv(name, value.c_str(), 1);
    ::setenv(lower, value.c_str(), 1);
  };
  take("HTTP_PROXY", "http_proxy", proxies.http);
  take("HTTPS_PROXY", "https_proxy", proxies.https);
  take("NO_PROXY", "no_proxy", proxies.none);
}

int serve(int argc, char** argv) {
  char own_path[4096];
  const ssize_t length = ::readlink("/proc/self/exe", own_path, sizeof own_path);
  const std::string own_program(own_path, static_cast<std::size_t>(length > 0 ? length : 0));
  auto options = daemon::read_options({argv + 1, argv + argc}, own_program);
  if (!options.ok()) {
    fmt::print(stderr, "{}\nSee 'skiffd --help'.\n", options.error().message());
    return 1;
  }
  if (options->help) {
    fmt::print("\nUsage:\tskiffd [OPTIONS]\n\nA container platform\n\nOptions:\n{}", options->help_text);
    return 0;
  }
  if (options->version) {
    fmt::print("Skiff version {}, build {}\n", spec::program_version(), spec::program_commit());
    return 0;
  }
  if (options->validate) {
    fmt::print(stderr, "configuration OK\n");
    return 0;
  }
  if (options->config.debug) log::set_level(log::Level::Debug);
  const sigset_t signals = own_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  ::umask(0022);
  take_proxies(options->proxies);
  if (const auto result = run(*options); !result.ok()) {
    log::error("{}", result.error().message());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace skiff

int main(int argc, char** argv) {
  skiff::archive::worker_main(argc, argv);
  skiff::daemon::log_tls_main(argc, argv);
  skiff::lazy::server_main(argc, argv);
  // Many short-lived threads would otherwise each get a heap of their own.
  ::mallopt(M_ARENA_MAX, 2);
  ::mallopt(M_TRIM_THRESHOLD, 256 << 10);
  return skiff::serve(argc, argv);
}
