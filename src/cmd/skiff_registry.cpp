#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "base/log.h"
#include "base/undo.h"
#include "cmd/registry/options.h"
#include "http/address.h"
#include "http/server.h"
#include "registry/server/caretaker.h"
#include "registry/server/engine_storage.h"
#include "registry/server/registry.h"
#include "registry/server/s3/storage.h"
#include "spec/program_version.h"

/// The registry: `skiff registry serve` executes this program. In the foreground until it is told to stop.
namespace skiff {
namespace {

using registry_options::Options;

/// Taken by the main thread alone: the end, new certificates and log files, a garbage collection.
sigset_t own_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1}) ::sigaddset(&set, signal);
  return set;
}

/// Each connection is a descriptor, and each download a second one.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Tells systemd, if it started us, how we are (sd_notify(3)).
void notify(std::string_view state) {
  const char* const path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  if (!path || std::strlen(path) >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path));
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const sys::Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket || ::sendto(socket.get(), state.data(), state.size(), MSG_NOSIGNAL,
                          reinterpret_cast<const sockaddr*>(&address), size) < 0)
    log::warning("systemd cannot be told: {}", Error::from_errno(path, errno).message());
}

struct Listeners {
  std::vector<sys::Fd> sockets;
  UndoStack files;  ///< unix sockets go with the program
};

Result<void> listen_on(const std::string& text, Listeners& out) {
  const auto address = TRY(http::Address::parse(text));
  out.sockets.push_back(TRY_CONTEXT(http::listen(address), "listen {}", text));
  if (address.is_unix) out.files.add([path = address.path] { ::unlink(path.c_str()); });
  return {};
}

/// Takes what was renewed beside us: certificate and key, and an access log that was renamed.
void reload(const Options& options, http::Server& server, registry::server::Registry& registry) {
  if (!options.tls.certificate.empty()) {
    auto tls = http::make_tls(options.tls);
    if (tls.ok())
      server.set_channels(*std::move(tls));
    else
      log::error("the old certificate stays in use: {}", tls.error().message());
  }
  if (auto* access_log = registry.access_log()) {
    if (const auto opened = access_log->reopen(); !opened.ok())
      log::error("the old access log stays in use: {}", opened.error().message());
  }
  log::info("reloaded");
}

void wait_until_told_to_stop(const Options& options, http::Server& server,
                             registry::server::Registry& registry, registry::server::Caretaker& caretaker) {
  const sigset_t signals = own_signals();
  while (true) {
    const int signal = ::sigwaitinfo(&signals, nullptr);
    if (signal < 0) continue;
    if (signal == SIGHUP) {
      reload(options, server, registry);
    } else if (signal == SIGUSR1) {
      // An engine cleans up after itself.
      if (options.engine.empty()) caretaker.collect_now();
    } else {
      log::info("stopping on signal {}", signal);
      return;
    }
  }
}

Result<std::unique_ptr<registry::server::Storage>> open_storage(const Options& options) {
  if (!options.engine.empty())
    return registry::server::open_engine_storage(TRY(http::Address::parse(options.engine)));
  if (!options.s3.bucket.empty()) return registry::server::open_s3_storage(options.s3);
  return registry::server::open_disk_storage(options.root);
}

http::ServerLimits limits_of(const Options& options) {
  http::ServerLimits limits;
  limits.connections = static_cast<int>(options.max_connections);
  limits.body_timeout = std::chrono::seconds(60);
  return limits;
}

Result<void> run(const Options& options) {
  Listeners listeners;
  for (const auto& address : options.listen) TRY(listen_on(address, listeners));
  Listeners monitoring;
  if (!options.metrics_listen.empty()) TRY(listen_on(options.metrics_listen, monitoring));
  std::shared_ptr<const http::ChannelFactory> tls;
  if (!options.tls.certificate.empty()) tls = TRY(http::make_tls(options.tls));
  const auto registry = TRY(registry::server::Registry::open(options.registry, TRY(open_storage(options))));
  registry::server::Caretaker caretaker(*registry, options.care);
  const auto server = TRY(http::Server::start(
      std::move(listeners.sockets), [&](http::Exchange& http) { registry->handle(http); }, limits_of(options),
      tls));
  std::unique_ptr<http::Server> monitor;
  if (!monitoring.sockets.empty())
    monitor = TRY(http::Server::start(std::move(monitoring.sockets),
                                      [&](http::Exchange& http) { registry->handle_monitoring(http); }));
  for (const auto& address : options.listen)
    log::info("the registry listens on {}{}", address, tls ? " (TLS)" : "");
  notify("READY=1");
  wait_until_told_to_stop(options, *server, *registry, caretaker);
  notify("STOPPING=1");
  registry->cache().stop();  // nobody is to wait for an upstream any more
  server->stop(
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::nanoseconds(options.stop_timeout)));
  return {};
}

int serve(int argc, char** argv) {
  const auto options = registry_options::read_options({argv + 1, argv + argc});
  if (!options.ok()) {
    fmt::print(stderr, "{}\nSee 'skiff registry serve --help'.\n", options.error().message());
    return 1;
  }
  if (options->help) {
    fmt::print(
        "Usage:  skiff registry serve [OPTIONS]\n\nServe a registry of container images\n\nOptions:\n{}",
        options->help_text);
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
  if (options->debug) log::set_level(log::Level::Debug);
  const sigset_t signals = own_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  ::umask(0022);
  raise_descriptor_limit();
  if (const auto result = run(*options); !result.ok()) {
    log::error("{}", result.error().message());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace skiff

int main(int argc, char** argv) {
  // Many short-lived threads would otherwise each get a heap of their own.
  ::mallopt(M_ARENA_MAX, 2);
  ::mallopt(M_TRIM_THRESHOLD, 256 << 10);
  return skiff::serve(argc, argv);
}
