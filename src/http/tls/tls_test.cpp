#include "http/tls/tls.h"

#include <signal.h>
#include <sys/socket.h>

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <cstdlib>

#include "base/ids.h"
#include "http/address.h"
#include "http/server.h"
#include "sys/file.h"

namespace skiff::http {
namespace {

/// A server on a private socket with a certificate made for the test.
class TlsTest : public testing::Test {
 protected:
  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN);
    dir_ = testing::TempDir() + "skiff-tls-" + random_hex(6);
    ASSERT_TRUE(sys::make_directories(dir_).ok());
    const std::string make =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
        "-subj /CN=localhost -keyout " +
        dir_ + "/key -out " + dir_ + "/cert 2>/dev/null";
    ASSERT_EQ(std::system(make.c_str()), 0);  // NOLINT(cert-env33-c): a test's own words
  }
  void TearDown() override {
    server_.reset();
    EXPECT_TRUE(sys::remove_tree(dir_).ok());
  }

  TlsFiles files() const { return {dir_ + "/cert", dir_ + "/key", ""}; }

  void serve(Handler handler, const TlsFiles& files) {
    std::vector<sys::Fd> listeners;
    listeners.push_back(listen(address()).value());
    server_ = Server::start(std::move(listeners), std::move(handler), {}, make_tls(files).value()).value();
  }
  Address address() const { return Address::parse("unix://" + dir_ + "/socket").value(); }

  /// Sends `request` over TLS and returns all that comes back; "" when the handshake fails.
  std::string talk(const std::string& request) {
    const auto socket = connect(address()).value();
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());
    SSL* ssl = SSL_new(context);
    SSL_set_fd(ssl, socket.get());
    std::string answer;
    if (SSL_connect(ssl) == 1 && SSL_write(ssl, request.data(), static_cast<int>(request.size())) > 0) {
      char buffer[4096];
      for (int count = 0; (count = SSL_read(ssl, buffer, sizeof buffer)) > 0;)
        answer.append(buffer, static_cast<std::size_t>(count));
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
    return answer;
  }

  std::string dir_;
  std::unique_ptr<Server> server_;
};

void echo(Exchange& exchange) {
  const auto body = exchange.read_body(64 << 20);
  (void)exchange.send(200, body.ok() ? *body : body.error().message(), "text/plain");
}

TEST_F(TlsTest, BodiesTravelBothWays) {
  serve(echo, files());
  const std::string big(1 << 20, 'y');
  const auto answer = talk("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " +
                           std::to_string(big.size()) + "\r\n\r\n" + big);
  EXPECT_TRUE(answer.ends_with("\r\n\r\n" + big));
}

TEST_F(TlsTest, ClientsOfPlainHttpAreTold) {
  serve(echo, files());
  const auto socket = connect(address()).value();
  const std::string request = "GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + std::string(40000, 'y') + "\r\n\r\n";
  ASSERT_EQ(::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  std::string answer;
  char buffer[4096];
  for (ssize_t count = 0; (count = ::recv(socket.get(), buffer, sizeof buffer, 0)) > 0;)
    answer.append(buffer, static_cast<std::size_t>(count));
  EXPECT_TRUE(answer.starts_with("HTTP/1.0 400 Bad Request\r\n")) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")) << answer;
}

TEST_F(TlsTest, FilesAreSent) {
  const std::string bytes(5 << 20, 'z');
  ASSERT_TRUE(sys::replace_file(dir_ + "/file", bytes).ok());
  serve(
      [&](Exchange& exchange) {
        FileBody body{sys::open_file(dir_ + "/file", O_RDONLY).value(), 0, bytes.size(), {}};
        (void)exchange.send_file(200, std::move(body), "text/plain");
      },
      files());
  EXPECT_TRUE(talk("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ends_with("\r\n\r\n" + bytes));
}

TEST_F(TlsTest, ClientsWithoutACertificateAreRefusedWhereOneIsAsked) {
  auto with_clients = files();
  with_clients.client_ca = dir_ + "/cert";
  serve(echo, with_clients);
  EXPECT_EQ(talk("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "");
}

TEST_F(TlsTest, PlainTextIsNotServed) {
  serve(echo, files());
  const auto socket = connect(address()).value();
  ASSERT_TRUE(sys::write_all(socket, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").ok());
  const auto answer = sys::read_all(socket);
  EXPECT_TRUE(!answer.ok() || answer->find("HTTP/1.1 200") == std::string::npos);
}

TEST_F(TlsTest, FilesThatCannotBeUsedAreNamed) {
  auto wrong = files();
  wrong.key = dir_ + "/nosuch";
  const auto made = make_tls(wrong);
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.error().message().find("nosuch"), std::string::npos);
}

}  // namespace
}  // namespace skiff::http
