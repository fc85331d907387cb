#include "http/tls/tls.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace skiff::http {
namespace {

constexpr std::size_t kRecord = 16 << 10;  ///< the most that one TLS record holds

struct Free {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

std::string reason() {
  const auto code = ERR_get_error();
  ERR_clear_error();
  const char* text = ERR_reason_error_string(code);
  return text ? text : "unknown TLS error";
}

/// Clients that speak plain HTTP learn what is wrong, in the words that other servers have for it. What they
/// sent is read first: unread bytes would make the kernel reset the connection, and the answer be lost.
void tell_plain_client(int socket) {
  constexpr std::string_view kAnswer =
      "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
      "Client sent an HTTP request to an HTTPS server.\n";
  std::array<char, kRecord> sent;
  while (::recv(socket, sent.data(), sent.size(), MSG_DONTWAIT) == static_cast<ssize_t>(sent.size())) {
  }
  // A client that is gone, or takes nothing, goes without.
  [[maybe_unused]] const auto told =
      ::send(socket, kAnswer.data(), kAnswer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

class TlsChannel final : public Channel {
 public:
  explicit TlsChannel(std::unique_ptr<SSL, Free> ssl) : ssl_(std::move(ssl)) {}

  Outcome receive(int, char* buffer, std::size_t size) override {
    std::size_t count = 0;
    ERR_clear_error();
    const int done = SSL_read_ex(ssl_.get(), buffer, size, &count);
    return done == 1 ? Outcome{static_cast<ssize_t>(count), 0} : failure(done);
  }

  Outcome send(int, const iovec* pieces, std::size_t count, bool) override {
    // One record for all pieces, as far as they fit. After "try again" the same bytes are offered once more,
    // which is what OpenSSL asks for.
    std::array<char, kRecord> record;
    std::size_t size = 0;
    for (std::size_t i = 0; i < count && size < record.size(); ++i) {
      const std::size_t part = std::min(pieces[i].iov_len, record.size() - size);
      std::copy_n(static_cast<const char*>(pieces[i].iov_base), part, record.data() + size);
      size += part;
    }
    return write(record.data(), size);
  }

  Outcome send_file(int, int file, std::uint64_t offset, std::size_t count) override {
    std::array<char, kRecord> record;
    const ssize_t got =
        ::pread(file, record.data(), std::min(count, record.size()), static_cast<off_t>(offset));
    if (got <= 0) return {-1, 0};
    return write(record.data(), static_cast<std::size_t>(got));
  }

  void end(int) override {
    if (!broken_) SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }

  bool is_plain() const override { return false; }

 private:
  Outcome write(const char* bytes, std::size_t size) {
    std::size_t count = 0;
    ERR_clear_error();
    const int done = SSL_write_ex(ssl_.get(), bytes, size, &count);
    return done == 1 ? Outcome{static_cast<ssize_t>(count), 0} : failure(done);
  }

  Outcome failure(int done) {
    switch (SSL_get_error(ssl_.get(), done)) {
      case SSL_ERROR_WANT_READ:
        return {-1, POLLIN};
      case SSL_ERROR_WANT_WRITE:
        return {-1, POLLOUT};
      case SSL_ERROR_ZERO_RETURN:
        return {0, 0};
      default:
        broken_ = true;
        if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST) tell_plain_client(SSL_get_fd(ssl_.get()));
        ERR_clear_error();
        return {-1, 0};
    }
  }

  const std::unique_ptr<SSL, Free> ssl_;
  bool broken_ = false;
};

class TlsFactory final : public ChannelFactory {
 public:
  explicit TlsFactory(std::unique_ptr<SSL_CTX, Free> context) : context_(std::move(context)) {}

  Result<std::unique_ptr<Channel>> make(int socket) const override {
    std::unique_ptr<SSL, Free> ssl(SSL_new(context_.get()));
    if (!ssl || SSL_set_fd(ssl.get(), socket) != 1) return fail(Kind::Exhausted, "tls: {}", reason());
    SSL_set_accept_state(ssl.get());
    return std::make_unique<TlsChannel>(std::move(ssl));
  }

 private:
  const std::unique_ptr<SSL_CTX, Free> context_;
};

}  // namespace

Result<std::shared_ptr<const ChannelFactory>> make_tls(const TlsFiles& files) {
  std::unique_ptr<SSL_CTX, Free> context(SSL_CTX_new(TLS_server_method()));
  if (!context) return fail(Kind::Exhausted, "tls: {}", reason());
  SSL_CTX* const raw = context.get();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Buffers only while they hold something; a repeated write may come from another place in memory.
  SSL_CTX_set_mode(
      raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (SSL_CTX_use_certificate_chain_file(raw, files.certificate.c_str()) != 1)
    return fail(Kind::InvalidArgument, "tls certificate {}: {}", files.certificate, reason());
  if (SSL_CTX_use_PrivateKey_file(raw, files.key.c_str(), SSL_FILETYPE_PEM) != 1)
    return fail(Kind::InvalidArgument, "tls key {}: {}", files.key, reason());
  if (SSL_CTX_check_private_key(raw) != 1)
    return fail(Kind::InvalidArgument, "tls key {} does not belong to certificate {}", files.key,
                files.certificate);
  if (!files.client_ca.empty()) {
    if (SSL_CTX_load_verify_locations(raw, files.client_ca.c_str(), nullptr) != 1)
      return fail(Kind::InvalidArgument, "tls client authorities {}: {}", files.client_ca, reason());
    // Named to clients, which may have certificates of several.
    SSL_CTX_set_client_CA_list(raw, SSL_load_client_CA_file(files.client_ca.c_str()));
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    // Sessions can be resumed only under a name when clients are verified
    // (SSL_CTX_set_session_id_context(3)).
    constexpr std::array<unsigned char, 5> kName = {'s', 'k', 'i', 'f', 'f'};
    SSL_CTX_set_session_id_context(raw, kName.data(), kName.size());
  }
  return std::shared_ptr<const ChannelFactory>(std::make_shared<TlsFactory>(std::move(context)));
}

}  // namespace skiff::http
