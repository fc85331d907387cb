#include "engine/network_probe.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <thread>

#include "sys/fd.h"

namespace skiff::engine {
namespace {

using namespace std::chrono_literals;

NetworkProbe parsed(const std::string& kind, const std::string& target) {
  auto probe = parse_network_probe({kind, target});
  EXPECT_TRUE(probe.ok() && probe->has_value()) << target;
  return probe.ok() && probe->has_value() ? **probe : NetworkProbe{};
}

TEST(NetworkProbe, TargetsAreRead) {
  EXPECT_EQ(parsed("TCP", "80").port, 80);
  EXPECT_EQ(parsed("TCP", ":5432").address, "127.0.0.1");
  EXPECT_EQ(parsed("TCP", "10.0.0.7:1").address, "10.0.0.7");
  EXPECT_EQ(parsed("TCP", "[::1]:99").address, "::1");
  EXPECT_EQ(parsed("HTTP", "http://localhost:8080/health?a=b").path, "/health?a=b");
  EXPECT_EQ(parsed("HTTP", ":8080").path, "/");
  EXPECT_EQ(parsed("HTTP", "/up").port, 80);
  EXPECT_EQ(parsed("HTTP", "10.0.0.7").port, 80);
}

TEST(NetworkProbe, OtherKindsAndNonsense) {
  EXPECT_FALSE(parse_network_probe({"CMD", "true"})->has_value());
  EXPECT_FALSE(parse_network_probe({})->has_value());
  for (const char* target : {"", "0", "65536", "x", "10.0.0.7", "name:80", "[::1", "[::1]x", "1 2"})
    EXPECT_FALSE(parse_network_probe({"TCP", target}).ok()) << target;
  for (const char* target : {"https://x/", "http://name/", ":x/", "/a b", "/a\r\nX: y"})
    EXPECT_FALSE(parse_network_probe({"HTTP", target}).ok()) << target;
  EXPECT_EQ(parse_network_probe({"TCP", "x"}).error().message(),
            "invalid TCP health check \"x\": expected [ADDRESS:]PORT with a numeric ADDRESS");
}

/// Answers one connection after the other with the same bytes.
class Server {
 public:
  explicit Server(std::string answer) : answer_(std::move(answer)) {
    socket_ = sys::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
    EXPECT_EQ(::listen(socket_.get(), 5), 0);
    socklen_t size = sizeof name;
    EXPECT_EQ(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&name), &size), 0);
    port_ = ntohs(name.sin_port);
    thread_ = std::thread([this] {
      while (true) {
        const sys::Fd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!client.valid()) return;
        if (answer_ == "silence") {
          char byte = 0;
          while (::read(client.get(), &byte, 1) > 0) {
          }
          continue;
        }
        char request[4096];
        (void)!::read(client.get(), request, sizeof request);
        (void)!::write(client.get(), answer_.data(), answer_.size());
      }
    });
  }
  ~Server() {
    ::shutdown(socket_.get(), SHUT_RDWR);
    thread_.join();
  }
  NetworkProbe http() const { return {.http = true, .port = port_}; }
  NetworkProbe tcp() const { return {.port = port_}; }

 private:
  std::string answer_;
  sys::Fd socket_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

TEST(NetworkProbe, StatusDecides) {
  const Server good("HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_TRUE(run_network_probe(good.http(), 5s, {}).healthy);
  EXPECT_TRUE(run_network_probe(good.tcp(), 5s, {}).healthy);
  const Server moved("HTTP/1.0 302 Found\r\nLocation: /x\r\n\r\n");
  EXPECT_TRUE(run_network_probe(moved.http(), 5s, {}).healthy);
  const Server bad("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy");
  const auto result = run_network_probe(bad.http(), 5s, {});
  EXPECT_FALSE(result.healthy);
  EXPECT_EQ(result.output, "GET /: 503 Service Unavailable");
}

TEST(NetworkProbe, WhatIsNoAnswer) {
  const Server nonsense("SSH-2.0-x\r\n\r\n");
  EXPECT_FALSE(run_network_probe(nonsense.http(), 5s, {}).healthy);
  const Server closes("");
  EXPECT_FALSE(run_network_probe(closes.http(), 5s, {}).healthy);
  NetworkProbe nobody = closes.tcp();
  {
    const Server gone("");
    nobody = gone.tcp();
  }
  const auto refused = run_network_probe(nobody, 5s, {});
  EXPECT_FALSE(refused.healthy || refused.timed_out);
  EXPECT_EQ(refused.output, "connect: connection refused");
  const Server silent("silence");
  const auto late = run_network_probe(silent.http(), 50ms, {});
  EXPECT_TRUE(late.timed_out);
  std::stop_source stopped;
  stopped.request_stop();
  EXPECT_FALSE(run_network_probe(silent.http(), 60s, stopped.get_token()).healthy);
}

}  // namespace
}  // namespace skiff::engine
