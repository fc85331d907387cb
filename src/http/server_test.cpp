#include "http/server.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "base/ids.h"
#include "http/address.h"
#include "http/client.h"
#include "sys/file.h"

namespace skiff::http {
namespace {

/// A server on a private socket, and raw or proper clients of it.
class ServerTest : public testing::Test {
 protected:
  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN);
    path_ = testing::TempDir() + "skiff-http-" + random_hex(6) + ".sock";
  }
  void TearDown() override {
    server_.reset();
    ::unlink(path_.c_str());
  }

  void serve(Handler handler, ServerLimits limits = {}) {
    std::vector<sys::Fd> listeners;
    listeners.push_back(listen(address()).value());
    server_ = Server::start(std::move(listeners), std::move(handler), limits).value();
  }
  Address address() { return Address::parse("unix://" + path_).value(); }
  Client client() { return Client(address()); }
  sys::Fd raw() { return connect(address()).value(); }

  /// Sends `bytes` on a connection of its own and returns all that comes back until the server closes.
  std::string talk(std::string_view bytes) {
    const auto socket = raw();
    EXPECT_TRUE(sys::write_all(socket, bytes).ok());
    return sys::read_all(socket).value();
  }

  std::string path_;
  std::unique_ptr<Server> server_;
};

ClientRequest get(std::string target) {
  ClientRequest request;
  request.target = std::move(target);
  return request;
}

ClientRequest post(std::string target, std::string body) {
  ClientRequest request;
  request.method = "POST";
  request.target = std::move(target);
  request.body = std::move(body);
  return request;
}

void echo(Exchange& exchange) {
  auto body = exchange.read_body(64 << 20);
  if (!body.ok()) {
    (void)exchange.send(413, "too large", "text/plain");
    return;
  }
  exchange.answer_fields().add("X-Path", std::string(exchange.path()));
  (void)exchange.send(200, *body, "text/plain");
}

TEST_F(ServerTest, KeepsTheConnectionForTheNextRequest) {
  serve(echo);
  auto c = client();
  for (int i = 0; i < 3; ++i) {
    auto answer = c.send(post("/a?b=c", "hello")).value();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.fields.get("x-path"), "/a");
    EXPECT_EQ(answer.read_all().value(), "hello");
    EXPECT_EQ(server_->connections(), 1);
  }
}

TEST_F(ServerTest, ChunkedBodiesTravelBothWays) {
  serve([](Exchange& exchange) {
    ASSERT_TRUE(exchange.start(200, "application/octet-stream").ok());
    char buffer[1000];
    while (true) {
      auto count = exchange.read(buffer, sizeof buffer);
      ASSERT_TRUE(count.ok());
      if (*count == 0) break;
      ASSERT_TRUE(exchange.write({buffer, *count}).ok());
    }
  });
  const std::string big(3 << 20, 'x');
  ClientRequest request;
  request.method = "POST";
  request.target = "/";
  // One piece after the other, because this server answers while it still reads.
  std::size_t sent = 0;
  request.source = [&](char* buffer, std::size_t size) -> Result<std::size_t> {
    const std::size_t count = std::min({size, big.size() - sent, std::size_t{4096}});
    big.copy(buffer, count, sent);
    sent += count;
    return count;
  };
  std::promise<std::string> answer;
  std::thread reader([&] {
    auto c = client();
    request.source = [&, inner = request.source](char* buffer, std::size_t size) {
      return sent >= (256 << 10) ? Result<std::size_t>(std::size_t{0}) : inner(buffer, size);
    };
    auto response = c.send(std::move(request)).value();
    answer.set_value(response.read_all().value());
  });
  EXPECT_EQ(answer.get_future().get(), std::string(256 << 10, 'x'));
  reader.join();
}

TEST_F(ServerTest, LargeBodyWithLength) {
  serve(echo);
  auto c = client();
  const std::string big(5 << 20, 'y');
  auto answer = c.send(post("/", big)).value();
  EXPECT_EQ(answer.read_all().value(), big);
}

TEST_F(ServerTest, BodyOverTheLimitIs413AndTheServerLivesOn) {
  serve([](Exchange& exchange) {
    auto body = exchange.read_body(1000);
    ASSERT_FALSE(body.ok());
    EXPECT_EQ(body.error().kind(), Kind::Exhausted);
    (void)exchange.send(413, "{}");
  });
  auto c = client();
  auto answer = c.send(post("/", std::string(20 << 20, 'z'))).value();
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(c.send(post("/", std::string(2000, 'z'))).value().status, 413);
}

TEST_F(ServerTest, ContinueIsSentWhenTheBodyIsRead) {
  serve(echo);
  const auto socket = raw();
  ASSERT_TRUE(sys::write_all(socket,
                             "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n"
                             "Connection: close\r\n\r\n")
                  .ok());
  char buffer[100];
  const auto count = sys::read_some(socket, buffer, sizeof buffer).value();
  EXPECT_EQ(std::string_view(buffer, count), "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(sys::write_all(socket, "abc").ok());
  EXPECT_TRUE(sys::read_all(socket).value().ends_with("\r\n\r\nabc"));
}

TEST_F(ServerTest, OldClientsGetTheBodyUntilTheEnd) {
  serve([](Exchange& exchange) {
    ASSERT_TRUE(exchange.start(200, "text/plain").ok());
    ASSERT_TRUE(exchange.write("one").ok());
    ASSERT_TRUE(exchange.write("two").ok());
  });
  const auto answer = talk("GET / HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(answer.ends_with("\r\n\r\nonetwo")) << answer;
}

TEST_F(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
  serve([](Exchange& exchange) { (void)exchange.send(200, exchange.path(), "text/plain"); });
  const auto answer =
      talk("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_LT(answer.find("/1"), answer.find("/2"));
  EXPECT_NE(answer.find("/2"), std::string::npos);
}

TEST_F(ServerTest, HeadHasNoBody) {
  serve([](Exchange& exchange) { (void)exchange.send(200, "body", "text/plain"); });
  const auto answer = talk("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_NE(answer.find("Content-Length: 4"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
}

TEST_F(ServerTest, GarbageIsRefused) {
  serve(echo);
  for (const auto* bytes :
       {"\x16\x03\x01\x02", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"}) {
    const auto socket = raw();
    ASSERT_TRUE(sys::write_all(socket, bytes).ok());
    ::shutdown(socket.get(), SHUT_WR);
    const auto answer = sys::read_all(socket).value();
    EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.1 400 ")) << bytes << answer;
  }
  EXPECT_TRUE(
      talk("GET / HTTP/1.1\r\nX: " + std::string(100000, 'a') + "\r\n\r\n").starts_with("HTTP/1.1 431 "));
  auto c = client();
  EXPECT_EQ(c.send(get("/")).value().status, 200);
}

TEST_F(ServerTest, HijackGivesTheRawConnection) {
  serve([](Exchange& exchange) {
    ASSERT_EQ(exchange.read_body(100).value(), "{}");
    auto hijacked = exchange.hijack("application/vnd.docker.raw-stream");
    ASSERT_TRUE(hijacked.ok());
    std::string input = hijacked->early_input;
    while (input.size() < 5) {
      char c = 0;
      ASSERT_EQ(sys::read_some(hijacked->socket, &c, 1).value(), 1U);
      input += c;
    }
    ASSERT_TRUE(sys::write_all(hijacked->socket, "got " + input).ok());
  });
  const auto socket = raw();
  ASSERT_TRUE(sys::write_all(socket,
                             "POST / HTTP/1.1\r\nHost: x\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n"
                             "Content-Length: 2\r\n\r\n{}ear")
                  .ok());
  ASSERT_TRUE(sys::write_all(socket, "ly").ok());
  EXPECT_EQ(sys::read_all(socket).value(),
            "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
            "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\ngot early");
}

TEST_F(ServerTest, HijackWithoutUpgradeIs200) {
  serve([](Exchange& exchange) {
    auto hijacked = exchange.hijack("application/vnd.docker.multiplexed-stream");
    ASSERT_TRUE(hijacked.ok());
    ASSERT_TRUE(sys::write_all(hijacked->socket, "raw").ok());
  });
  EXPECT_EQ(talk("POST / HTTP/1.1\r\nHost: x\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n\r\nraw");
}

TEST_F(ServerTest, ClientTakesAnUpgradedConnection) {
  serve([](Exchange& exchange) {
    auto hijacked = exchange.hijack("application/vnd.docker.raw-stream");
    ASSERT_TRUE(hijacked.ok());
    ASSERT_TRUE(sys::write_all(hijacked->socket, "hello").ok());
  });
  auto c = client();
  ClientRequest request = post("/attach", "");
  request.upgrade = true;
  auto answer = c.send(std::move(request)).value();
  EXPECT_EQ(answer.status, 101);
  const auto taken = answer.take_connection().value();
  EXPECT_EQ(taken.early_input + sys::read_all(taken.socket).value(), "hello");
}

TEST_F(ServerTest, HandlerLearnsThatTheClientWentAway) {
  std::promise<void> stopped;
  serve([&](Exchange& exchange) {
    const auto token = exchange.stop_token();
    ASSERT_TRUE(exchange.start(200).ok());
    ASSERT_TRUE(exchange.write("started").ok());
    std::promise<void> gone;
    const std::stop_callback callback(token, [&] { gone.set_value(); });
    gone.get_future().wait();
    stopped.set_value();
  });
  auto socket = raw();
  ASSERT_TRUE(sys::write_all(socket, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").ok());
  // All that the handler writes is awaited: what it still had to write would find the client gone.
  std::string seen;
  while (seen.find("started") == std::string::npos) {
    char buffer[100];
    const std::size_t count = sys::read_some(socket, buffer, sizeof buffer).value();
    ASSERT_GT(count, 0U);
    seen.append(buffer, count);
  }
  socket.reset();
  stopped.get_future().wait();
}

TEST_F(ServerTest, ManyWaitingHandlersDoNotStopOthers) {
  std::promise<void> release;
  auto released = release.get_future().share();
  serve([&](Exchange& exchange) {
    if (exchange.path() == "/wait") released.wait();
    (void)exchange.send(200, "ok", "text/plain");
  });
  std::vector<sys::Fd> waiting;
  for (int i = 0; i < 50; ++i) {
    waiting.push_back(raw());
    ASSERT_TRUE(
        sys::write_all(waiting.back(), "GET /wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok());
  }
  auto c = client();
  EXPECT_EQ(c.send(get("/now")).value().read_all().value(), "ok");
  release.set_value();
  for (const auto& socket : waiting) EXPECT_TRUE(sys::read_all(socket).value().ends_with("ok"));
}

TEST_F(ServerTest, ConnectionsAreLimited) {
  ServerLimits limits;
  limits.connections = 2;
  serve(echo, limits);
  auto a = client();
  auto b = client();
  ASSERT_EQ(a.send(get("/")).value().status, 200);
  ASSERT_EQ(b.send(get("/")).value().status, 200);
  const auto socket = raw();
  EXPECT_TRUE(sys::read_all(socket).value().starts_with("HTTP/1.1 503 "));
}

TEST_F(ServerTest, StopEndsWaitingHandlersAndConnections) {
  std::promise<void> started;
  serve([&](Exchange& exchange) {
    std::promise<void> gone;
    const std::stop_callback callback(exchange.stop_token(), [&] { gone.set_value(); });
    started.set_value();
    gone.get_future().wait();
    (void)exchange.send(200, "stopped", "text/plain");
  });
  const auto socket = raw();
  ASSERT_TRUE(sys::write_all(socket, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").ok());
  started.get_future().wait();
  server_->stop(std::chrono::seconds(5));
  EXPECT_TRUE(sys::read_all(socket).value().ends_with("stopped"));
  EXPECT_EQ(server_->threads(), 0);
}

/// A file with `bytes` and no name.
sys::Fd file_with(std::string_view bytes) {
  const std::string path = testing::TempDir() + "skiff-http-" + random_hex(6);
  auto file = sys::open_file(path, O_RDWR | O_CREAT | O_EXCL, 0600).value();
  ::unlink(path.c_str());
  EXPECT_TRUE(sys::write_all(file, bytes).ok());
  return file;
}

TEST_F(ServerTest, FilesAreSentInPartAndWholeOnOneConnection) {
  const std::string bytes = "0123456789";
  std::atomic<int> whole = 0;
  serve([&](Exchange& exchange) {
    const bool part = exchange.path() == "/part";
    const auto done = [&whole](std::uint64_t, bool all) { whole += all ? 1 : 0; };
    FileBody body{file_with(bytes), part ? 3U : 0U, part ? 4U : bytes.size(), done};
    EXPECT_TRUE(exchange.send_file(part ? 206 : 200, std::move(body), "application/octet-stream").ok());
  });
  auto c = client();
  EXPECT_EQ(c.send(get("/part")).value().read_all().value(), "3456");
  EXPECT_EQ(c.send(get("/all")).value().read_all().value(), bytes);
  auto head = get("/all");
  head.method = "HEAD";
  EXPECT_EQ(c.send(std::move(head)).value().fields.get("Content-Length"), "10");
  EXPECT_EQ(c.send(get("/all")).value().read_all().value(), bytes);
  EXPECT_EQ(server_->connections(), 1);
  server_.reset();
  EXPECT_EQ(whole, 4);
}

TEST_F(ServerTest, SlowReadersOfFilesHoldNoThread) {
  const std::string bytes(16 << 20, 'x');
  const auto shared = file_with(bytes);
  std::atomic<int> ended = 0;
  ServerLimits limits;
  limits.send_timeout = std::chrono::hours(1);  // the last ones are read when the machine gets to it
  serve(
      [&](Exchange& exchange) {
        const auto done = [&ended](std::uint64_t, bool) { ++ended; };
        FileBody body{sys::duplicate(shared).value(), 0, bytes.size(), done};
        EXPECT_TRUE(exchange.send_file(200, std::move(body), "application/octet-stream").ok());
      },
      limits);
  std::vector<sys::Fd> slow;
  for (int i = 0; i < 40; ++i) {
    slow.push_back(raw());
    ASSERT_TRUE(sys::write_all(slow.back(), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok());
    char first = 0;
    ASSERT_EQ(sys::read_some(slow.back(), &first, 1).value(), 1U);
  }
  EXPECT_LT(server_->threads(), 20);
  for (int i = 0; i < 39; ++i) {
    const auto answer = sys::read_all(slow[static_cast<std::size_t>(i)]).value();
    EXPECT_TRUE(answer.ends_with(bytes)) << answer.size();
  }
  slow.clear();  // the last one goes away in the middle
  server_->stop(std::chrono::seconds(5));
  server_.reset();
  EXPECT_EQ(ended, 40);
}

TEST_F(ServerTest, StopSendsTheRestOfAFile) {
  const std::string bytes(16 << 20, 'x');
  serve([&](Exchange& exchange) {
    FileBody body{file_with(bytes), 0, bytes.size(), {}};
    EXPECT_TRUE(exchange.send_file(200, std::move(body), "application/octet-stream").ok());
  });
  const auto socket = raw();
  ASSERT_TRUE(sys::write_all(socket, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok());
  char first = 0;
  ASSERT_EQ(sys::read_some(socket, &first, 1).value(), 1U);
  std::thread stopper([&] { server_->stop(std::chrono::seconds(30)); });
  EXPECT_TRUE(sys::read_all(socket).value().ends_with(bytes));
  stopper.join();
}

TEST_F(ServerTest, BodiesThatStopComingAreGivenUp) {
  ServerLimits limits;
  limits.body_timeout = std::chrono::seconds(1);
  std::promise<Kind> result;
  serve(
      [&](Exchange& exchange) {
        auto body = exchange.read_body(1000);
        result.set_value(body.ok() ? Kind::Internal : body.error().kind());
        (void)exchange.send(400, "{}");
      },
      limits);
  const auto socket = raw();
  ASSERT_TRUE(sys::write_all(socket, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc").ok());
  EXPECT_EQ(result.get_future().get(), Kind::Cancelled);
}

TEST_F(ServerTest, ListenRefusesASocketInUse) {
  serve(echo);
  const auto second = listen(address());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().kind(), Kind::Conflict);
  server_.reset();
  EXPECT_TRUE(listen(address()).ok());
}

TEST_F(ServerTest, TcpWorksToo) {
  // Port 0 is not an address one can connect to, so the kernel's choice is asked for.
  std::vector<sys::Fd> listeners;
  listeners.push_back(listen(Address::parse("tcp://127.0.0.1:0").value()).value());
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  ASSERT_EQ(::getsockname(listeners[0].get(), reinterpret_cast<sockaddr*>(&storage), &size), 0);
  const auto bytes = reinterpret_cast<const unsigned char*>(&storage);
  const int port = bytes[2] * 256 + bytes[3];
  server_ = Server::start(std::move(listeners), echo).value();
  Client c(Address::parse("tcp://localhost:" + std::to_string(port)).value());
  EXPECT_EQ(c.send(post("/", "over tcp")).value().read_all().value(), "over tcp");
}

TEST(AddressTest, Parses) {
  EXPECT_EQ(Address::parse("unix:///run/x.sock").value().path, "/run/x.sock");
  EXPECT_EQ(Address::parse("tcp://1.2.3.4").value().to_string(), "tcp://1.2.3.4:2375");
  EXPECT_EQ(Address::parse("tcp://[::1]:99").value().to_string(), "tcp://[::1]:99");
  EXPECT_FALSE(Address::parse("fd://").ok());
  EXPECT_FALSE(Address::parse("unix://").ok());
  EXPECT_FALSE(Address::parse("tcp://x:notaport").ok());
}

TEST(FieldsTest, PercentCodes) {
  EXPECT_EQ(percent_decode("a%20b+c%zz%", true), "a b c%zz%");
  EXPECT_EQ(percent_decode("a+b", false), "a+b");
  EXPECT_EQ(percent_encode("a b/ü"), "a%20b%2F%C3%BC");
}

TEST(FieldsTest, LineBreaksDoNotSplitTheHead) {
  Fields fields;
  fields.add("X", "a\r\nEvil: 1");
  EXPECT_EQ(fields.to_text(), "X: aEvil: 1\r\n");
}

}  // namespace
}  // namespace skiff::http
