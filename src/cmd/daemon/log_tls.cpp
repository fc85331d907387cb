#include "cmd/daemon/log_tls.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/json.h"
#include "base/strings.h"
#include "monitor/log_tls.h"
#include "sys/file.h"

namespace skiff::daemon {
namespace {

constexpr int kMonitor = 0;  ///< our end of the monitor's socket
constexpr timeval kPatience{.tv_sec = 15, .tv_usec = 0};

struct FreeContext {
  void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
  void operator()(SSL* connection) const { ::SSL_free(connection); }
};
using Context = std::unique_ptr<SSL_CTX, FreeContext>;
using Tls = std::unique_ptr<SSL, FreeContext>;

/// "what: certificate verify failed"
Error tls_error(const std::string& what, const SSL* connection = nullptr) {
  const long verdict = connection ? ::SSL_get_verify_result(connection) : X509_V_OK;
  const char* reason = verdict != X509_V_OK ? ::X509_verify_cert_error_string(verdict)
                                            : ::ERR_reason_error_string(::ERR_peek_last_error());
  return {Kind::Unavailable, fmt::format("{}: {}", what, reason ? reason : "the server hung up")};
}

/// A numeric address, "127.0.0.1:6514" or "[::1]:6514".
Result<sys::Fd> connect_to(const std::string& text) {
  const auto colon = text.rfind(':');
  std::string host = text.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  const auto port = htons(static_cast<std::uint16_t>(parse_uint(text.substr(colon + 1)).value_or(0)));
  sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = port};
  sockaddr_in four = {.sin_family = AF_INET, .sin_port = port};
  const bool is_four = ::inet_pton(AF_INET, host.c_str(), &four.sin_addr) == 1;
  if (!is_four && ::inet_pton(AF_INET6, host.c_str(), &six.sin6_addr) != 1)
    return fail(Kind::InvalidArgument, "no address: {}", text);
  sys::Fd socket(::socket(is_four ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("socket");
  // Of connect(2), too.
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience) != 0 ||
      ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience) != 0)
    return fail_errno("setsockopt");
  const auto* address =
      is_four ? reinterpret_cast<const sockaddr*>(&four) : reinterpret_cast<const sockaddr*>(&six);
  if (::connect(socket.get(), address, is_four ? sizeof four : sizeof six) != 0)
    return fail_errno("connect to {}", text);
  return socket;
}

Result<Context> make_context(const monitor::LogTls& options) {
  Context context(::SSL_CTX_new(::TLS_client_method()));
  if (!context) return tls_error("TLS");
  ::SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  ::SSL_CTX_clear_mode(context.get(), SSL_MODE_AUTO_RETRY);  // a read of new keys does not wait for more
  ::SSL_CTX_set_verify(context.get(), options.skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
  if (::SSL_CTX_set_default_verify_paths(context.get()) != 1) return tls_error("the system's certificates");
  if (!options.ca.empty() && !options.skip_verify &&
      ::SSL_CTX_load_verify_locations(context.get(), options.ca.c_str(), nullptr) != 1)
    return tls_error(fmt::format("could not read CA certificate {}", quote(options.ca)));
  if (options.cert.empty()) return context;
  if (::SSL_CTX_use_certificate_chain_file(context.get(), options.cert.c_str()) != 1 ||
      ::SSL_CTX_use_PrivateKey_file(context.get(), options.key.c_str(), SSL_FILETYPE_PEM) != 1)
    return tls_error("Could not load X509 key pair");
  return context;
}

/// Names are checked against the certificate, and asked for; addresses are checked only.
Result<Tls> make_tls(SSL_CTX* context, const monitor::LogTls& options, const sys::Fd& socket) {
  Tls tls(::SSL_new(context));
  if (!tls || ::SSL_set_fd(tls.get(), socket.get()) != 1) return tls_error("TLS");
  const char* name = options.server_name.c_str();
  X509_VERIFY_PARAM* check = ::SSL_get0_param(tls.get());
  if (::X509_VERIFY_PARAM_set1_ip_asc(check, name) != 1 &&
      (::X509_VERIFY_PARAM_set1_host(check, name, 0) != 1 ||
       ::SSL_set_tlsext_host_name(tls.get(), name) != 1))
    return tls_error(options.server_name);
  ::ERR_clear_error();
  if (::SSL_connect(tls.get()) != 1) return tls_error("TLS handshake with " + options.server_name, tls.get());
  return tls;
}

/// What the server says goes to the monitor: acknowledgements, if anything. Its library says more (new keys),
/// and it may end.
Result<void> read_server(SSL* tls) {
  char buffer[4 << 10];
  do {
    const int size = ::SSL_read(tls, buffer, sizeof buffer);
    if (size <= 0 && ::SSL_get_error(tls, size) == SSL_ERROR_WANT_READ) return {};
    if (size <= 0) return Error(Kind::Unavailable, "the server hung up");
    if (::write(kMonitor, buffer, static_cast<std::size_t>(size)) != size) return fail_errno("write");
  } while (::SSL_pending(tls) > 0);
  return {};
}

/// Carries bytes until the monitor has no more, or the server is gone.
Result<void> carry(SSL* tls, const sys::Fd& socket) {
  char buffer[16 << 10];
  while (true) {
    pollfd entries[2] = {{kMonitor, POLLIN, 0}, {socket.get(), POLLIN, 0}};
    if (::poll(entries, 2, -1) < 0 && errno != EINTR) return fail_errno("poll");
    if (entries[1].revents != 0) TRY(read_server(tls));
    if (entries[0].revents == 0) continue;
    const ssize_t size = ::read(kMonitor, buffer, sizeof buffer);
    if (size < 0 && errno != EINTR) return fail_errno("read");
    if (size == 0) {
      ::SSL_shutdown(tls);
      return {};
    }
    if (size > 0 && ::SSL_write(tls, buffer, static_cast<int>(size)) <= 0) return tls_error("send", tls);
  }
}

Result<void> relay(const std::string& text) {
  const auto options = TRY(json::decode<monitor::LogTls>(text));
  const auto context = TRY(make_context(options));
  const auto socket = TRY(connect_to(options.address));
  const auto tls = TRY(make_tls(context.get(), options, socket));
  if (::write(kMonitor, monitor::kTlsIsUp, 1) != 1) return fail_errno("write");
  return carry(tls.get(), socket);
}

}  // namespace

void log_tls_main(int argc, char** argv) {
  if (argc != 2 || std::string_view(argv[0]) != monitor::kTlsProgram) return;
  ::signal(SIGPIPE, SIG_IGN);
  (void)sys::write_existing("/proc/self/oom_score_adj", "0");  // the monitor's is not ours
  const auto result = relay(argv[1]);
  if (!result) (void)!::write(kMonitor, result.error().message().data(), result.error().message().size());
  ::_exit(result ? 0 : 1);
}

}  // namespace skiff::daemon
