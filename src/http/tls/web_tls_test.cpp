#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/ids.h"
#include "http/address.h"
#include "http/server.h"
#include "http/tls/tls.h"
#include "http/web.h"
#include "sys/file.h"

namespace skiff::http {
namespace {

/// What a client of the web believes of a server on a loopback port, whose certificate is for "localhost".
class WebTlsTest : public testing::Test {
 protected:
  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN);
    dir_ = testing::TempDir() + "skiff-web-tls-" + random_hex(6);
    ASSERT_TRUE(sys::make_directories(dir_).ok());
    const std::string make =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost "
        "-addext subjectAltName=DNS:localhost -keyout " +
        dir_ + "/key -out " + dir_ + "/cert 2>/dev/null";
    ASSERT_EQ(std::system(make.c_str()), 0);  // NOLINT(cert-env33-c): a test's own words
  }
  void TearDown() override {
    server_.reset();
    EXPECT_TRUE(sys::remove_tree(dir_).ok());
  }

  void serve(bool secure, const std::string& client_authority = "") {
    Address address;
    address.is_unix = false;
    address.host = "127.0.0.1";
    auto listener = *listen(address);
    sockaddr_in name{};
    socklen_t size = sizeof name;
    ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&name), &size);
    port_ = ntohs(name.sin_port);
    std::vector<sys::Fd> listeners;
    listeners.push_back(std::move(listener));
    std::shared_ptr<const ChannelFactory> channels;
    if (secure) channels = make_tls({dir_ + "/cert", dir_ + "/key", client_authority}).value();
    server_ = Server::start(
                  std::move(listeners), [](Exchange& http) { (void)http.send(200, "hello"); }, {}, channels)
                  .value();
  }
  std::string ask(const WebTrust& trust, const std::string& host = "localhost") {
    const auto session = *WebSession::open(trust);
    WebRequest request;
    request.url = fmt::format("https://{}:{}/", host, port_);
    const auto answer = session->perform(request, {});
    if (answer.ok()) return answer->body;
    EXPECT_EQ(answer.error().kind(), Kind::Unavailable);
    EXPECT_NE(answer.error().code(), 0) << answer.error().message();
    const std::string prefix = fmt::format("Get \"{}\": ", request.url);
    EXPECT_TRUE(answer.error().message().starts_with(prefix)) << answer.error().message();
    return answer.error().message().substr(prefix.size());
  }
  WebTrust trusted() const {
    WebTrust trust;
    trust.authorities = *sys::read_file(dir_ + "/cert");
    return trust;
  }

  std::string dir_;
  int port_ = 0;
  std::unique_ptr<Server> server_;
};

TEST_F(WebTlsTest, AuthoritiesDecide) {
  serve(true);
  EXPECT_EQ(ask({}), "tls: failed to verify certificate: x509: certificate signed by unknown authority");
  EXPECT_EQ(ask(trusted()), "hello");
  WebTrust anybody;
  anybody.anybody = true;
  EXPECT_EQ(ask(anybody), "hello");
  EXPECT_EQ(ask(anybody, "127.0.0.1"), "hello");
}

TEST_F(WebTlsTest, AnotherNameIsNotBelieved) {
  serve(true);
  const auto refused = ask(trusted(), "127.0.0.1");
  EXPECT_TRUE(refused.starts_with("tls: failed to verify certificate: x509: ")) << refused;
}

TEST_F(WebTlsTest, WhoeverIsAskedForACertificateShowsIt) {
  serve(true, dir_ + "/cert");
  auto trust = trusted();
  const auto session = *WebSession::open(trust);
  WebRequest request;
  request.url = fmt::format("https://localhost:{}/", port_);
  EXPECT_FALSE(session->perform(request, {}).ok());
  trust.identities = {{dir_ + "/cert", dir_ + "/key"}};
  EXPECT_EQ(ask(trust), "hello");
}

TEST_F(WebTlsTest, OfSeveralCertificatesTheOneThatTheServerWantsIsShown) {
  const std::string make =
      "cd " + dir_ +
      " && for name in one other; do openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
      "-days 2"
      " -subj /CN=$name-authority -keyout $name-ca.key -out $name-ca && openssl req -new -newkey ec -pkeyopt"
      " ec_paramgen_curve:P-256 -nodes -subj /CN=$name -keyout $name.key -out $name.csr && openssl x509 -req "
      "-in"
      " $name.csr -CA $name-ca -CAkey $name-ca.key -CAcreateserial -days 2 -out $name.cert; done 2>/dev/null";
  ASSERT_EQ(std::system(make.c_str()), 0);  // NOLINT(cert-env33-c): a test's own words
  serve(true, dir_ + "/other-ca");
  auto trust = trusted();
  const WebIdentity one{dir_ + "/one.cert", dir_ + "/one.key"};
  const WebIdentity other{dir_ + "/other.cert", dir_ + "/other.key"};
  trust.identities = {one, other};
  EXPECT_EQ(ask(trust), "hello");
  trust.identities = {other, one};
  EXPECT_EQ(ask(trust), "hello");
  trust.identities = {one, {dir_ + "/cert", dir_ + "/key"}};
  const auto session = *WebSession::open(trust);
  WebRequest request;
  request.url = fmt::format("https://localhost:{}/", port_);
  EXPECT_FALSE(session->perform(request, {}).ok());
}

TEST_F(WebTlsTest, AServerWithoutTlsIsNamed) {
  serve(false);
  EXPECT_EQ(ask(trusted()), "http: server gave HTTP response to HTTPS client");
}

}  // namespace
}  // namespace skiff::http
