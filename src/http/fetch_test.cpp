#include "http/fetch.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <gtest/gtest.h>

#include <thread>

#include "sys/file.h"

namespace skiff::http {
namespace {

/// A server on loopback that gives each connection the next of some prepared answers.
class Answers {
 public:
  explicit Answers(std::vector<std::string> answers)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
    EXPECT_EQ(::listen(socket_.get(), 8), 0);
    socklen_t size = sizeof name;
    EXPECT_EQ(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&name), &size), 0);
    port_ = ntohs(name.sin_port);
    thread_ = std::thread([this, answers = std::move(answers)] {
      for (const std::string& answer : answers) {
        const sys::Fd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        char request[4096];
        (void)!::read(client.get(), request, sizeof request);
        (void)sys::write_all(client, answer);
      }
    });
  }
  ~Answers() {
    ::shutdown(socket_.get(), SHUT_RDWR);  // wakes a thread that nobody connected to
    thread_.join();
  }
  std::string url(const std::string& path) const { return fmt::format("http://127.0.0.1:{}{}", port_, path); }

 private:
  sys::Fd socket_;
  int port_ = 0;
  std::thread thread_;
};

sys::Fd scratch() { return sys::Fd(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)); }

std::string content(const sys::Fd& file) {
  ::lseek(file.get(), 0, SEEK_SET);
  return *sys::read_all(file);
}

TEST(Fetch, FollowsRedirectsAndKnowsTheTime) {
  const Answers server(
      {"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 4\r\nConnection: close\r\n\r\ngone",
       "HTTP/1.1 200 OK\r\nLast-Modified: Thu, 01 Jan 1970 00:01:40 GMT\r\nContent-Length: 5\r\n"
       "Connection: close\r\n\r\nhello"});
  const sys::Fd file = scratch();
  const auto fetched = fetch(server.url("/here"), file);
  ASSERT_TRUE(fetched.ok()) << fetched.error().message();
  EXPECT_EQ(fetched->modified, 100);
  EXPECT_EQ(content(file), "hello");
}

TEST(Fetch, RefusalsAreToldInDockersWords) {
  const Answers server({"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nConnection: close\r\n\r\nsorry"});
  const sys::Fd file = scratch();
  const auto fetched = fetch(server.url("/x"), file);
  ASSERT_FALSE(fetched.ok());
  EXPECT_EQ(fetched.error().kind(), Kind::NotFound);
  EXPECT_EQ(fetched.error().message(),
            "failed to GET " + server.url("/x") + " with status 404 Not Found: sorry");
  EXPECT_EQ(content(file), "");
}

TEST(Fetch, CutConnectionsAndOtherProtocolsAreErrors) {
  const Answers server({"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhalf"});
  const sys::Fd file = scratch();
  EXPECT_EQ(fetch(server.url("/x"), file).error().kind(), Kind::Unavailable);
  EXPECT_EQ(fetch("file:///etc/passwd", file).error().kind(), Kind::Unavailable);
  EXPECT_EQ(fetch("http://127.0.0.1:1/x", file).error().message().find("Get \"http://127.0.0.1:1/x\": "), 0U);
}

TEST(Fetch, EndsWhenNobodyWaits) {
  const Answers server({"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"});
  const sys::Fd file = scratch();
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(fetch(server.url("/x"), file, stop.get_token()).error().kind(), Kind::Cancelled);
}

}  // namespace
}  // namespace skiff::http
