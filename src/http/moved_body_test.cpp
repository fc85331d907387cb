#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <future>
#include <thread>

#include "base/ids.h"
#include "http/client.h"
#include "http/server.h"
#include "sys/file.h"

namespace skiff::http {
namespace {

/// Bodies that are files at the client's end and pipes at the server's.
class MovedBodyTest : public testing::Test {
 protected:
  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN);
    path_ = testing::TempDir() + "skiff-moved-" + random_hex(6) + ".sock";
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    out_ = sys::Fd(ends[0]);
    in_ = sys::Fd(ends[1]);
    for (std::size_t i = 0; i < kSize; ++i) content_ += static_cast<char>('a' + i % 23);
    file_ = sys::Fd(::memfd_create("body", MFD_CLOEXEC));
    ASSERT_TRUE(sys::write_all(file_, content_).ok());
    ::lseek(file_.get(), 0, SEEK_SET);
  }
  void TearDown() override {
    server_.reset();
    ::unlink(path_.c_str());
  }

  void serve(Handler handler) {
    std::vector<sys::Fd> listeners;
    listeners.push_back(listen(address()).value());
    server_ = Server::start(std::move(listeners), std::move(handler), {}).value();
  }
  Address address() { return Address::parse("unix://" + path_).value(); }
  ClientRequest request(std::uint64_t length) {
    ClientRequest request;
    request.method = "POST";
    request.target = "/";
    request.file = FileRest{file_.get(), length};
    return request;
  }
  /// What a handler does with a body that is wanted in the pipe: the count that was moved, and the count that
  /// was read.
  Result<std::pair<std::size_t, std::size_t>> into_pipe(Exchange& exchange) {
    std::pair<std::size_t, std::size_t> counts;
    std::string piece(1000, '\0');
    while (true) {
      const std::size_t moved = TRY(exchange.move(in_));
      counts.first += moved;
      if (moved > 0) continue;
      const std::size_t read = TRY(exchange.read(piece.data(), piece.size()));
      if (read == 0) return counts;
      TRY(sys::write_all(in_, std::string_view(piece).substr(0, read)));
      counts.second += read;
    }
  }

  static constexpr std::size_t kSize = 3'000'000;
  std::string path_, content_;
  sys::Fd file_, in_, out_;
  std::unique_ptr<Server> server_;
};

TEST_F(MovedBodyTest, ArrivesInThePipe) {
  std::pair<std::size_t, std::size_t> counts;
  serve([&](Exchange& exchange) {
    counts = into_pipe(exchange).value();
    in_.reset();
    (void)exchange.send(200, "taken");
  });
  auto arrived = std::async(std::launch::async, [&] { return sys::read_all(out_).value(); });
  Client client(address());
  auto answer = client.send(request(kSize)).value();
  EXPECT_EQ(answer.read_all().value(), "taken");
  EXPECT_EQ(arrived.get(), content_);
  EXPECT_EQ(counts.first + counts.second, kSize);
  EXPECT_GT(counts.first, kSize / 2);
}

TEST_F(MovedBodyTest, BeginsWhereTheFileStandsAndLeavesTheConnectionUsable) {
  serve([&](Exchange& exchange) { (void)exchange.send(200, exchange.read_body(kSize).value()); });
  Client client(address());
  for (const off_t at : {off_t{10}, off_t{2'000'000}}) {
    ::lseek(file_.get(), at, SEEK_SET);
    auto answer = client.send(request(kSize - static_cast<std::size_t>(at))).value();
    EXPECT_EQ(answer.read_all().value(), content_.substr(static_cast<std::size_t>(at)));
  }
  EXPECT_EQ(server_->connections(), 1);
}

TEST_F(MovedBodyTest, ChunkedBodiesAreReadInstead) {
  std::pair<std::size_t, std::size_t> counts;
  serve([&](Exchange& exchange) {
    counts = into_pipe(exchange).value();
    (void)exchange.send(200, "");
  });
  ClientRequest chunked;
  chunked.method = "POST";
  chunked.target = "/";
  chunked.source = [sent = false](char* buffer, std::size_t) mutable -> Result<std::size_t> {
    return std::exchange(sent, true) ? 0 : std::string_view("hello").copy(buffer, 5);
  };
  Client client(address());
  EXPECT_EQ(client.send(std::move(chunked)).value().status, 200);
  EXPECT_EQ(counts, (std::pair<std::size_t, std::size_t>{0, 5}));
}

TEST_F(MovedBodyTest, LongChunksAreMovedAndTheirEndsAreNot) {
  std::pair<std::size_t, std::size_t> counts;
  serve([&](Exchange& exchange) {
    counts = into_pipe(exchange).value();
    in_.reset();
    (void)exchange.send(200, "");
  });
  auto arrived = std::async(std::launch::async, [&] { return sys::read_all(out_).value(); });
  const auto socket = connect(address()).value();
  const std::string head =
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
  std::string message = head;
  for (std::size_t at = 0, size = 1; at < content_.size(); at += size, size = size * 3 % 700'001) {
    const auto piece = std::string_view(content_).substr(at, size);
    message += fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
  }
  message += "0\r\n\r\n";
  ASSERT_TRUE(sys::write_all(socket, message).ok());
  EXPECT_TRUE(sys::read_all(socket).value().starts_with("HTTP/1.1 200"));
  EXPECT_EQ(arrived.get(), content_);
  EXPECT_EQ(counts.first + counts.second, kSize);
  EXPECT_GT(counts.first, kSize / 2);
}

TEST_F(MovedBodyTest, LongChunksOfAnswersGoStraightToTheirReader) {
  serve([&](Exchange& exchange) {
    ASSERT_TRUE(exchange.start(200, "text/plain").ok());
    for (std::size_t at = 0, size = 1; at < content_.size(); at += size, size = size * 3 % 700'001)
      ASSERT_TRUE(exchange.write(std::string_view(content_).substr(at, size)).ok());
  });
  Client client(address());
  for (const std::size_t size : {std::size_t{1000}, std::size_t{1} << 20}) {
    ClientRequest get;
    get.target = "/";
    auto answer = client.send(std::move(get)).value();
    std::string text, piece(size, '\0');
    while (const std::size_t count = answer.read(piece.data(), piece.size()).value())
      text += piece.substr(0, count);
    EXPECT_EQ(text, content_);
  }
  EXPECT_EQ(server_->connections(), 1);
}

TEST_F(MovedBodyTest, AReaderThatLeavesIsToldByItsErrno) {
  int code = 0;
  std::size_t rest = 0;
  serve([&](Exchange& exchange) {
    out_.reset();
    const auto counts = into_pipe(exchange);
    code = counts.ok() ? 0 : counts.error().code();
    rest = exchange.read_body(kSize).value().size();
    (void)exchange.send(200, "");
  });
  Client client(address());
  EXPECT_EQ(client.send(request(kSize)).value().status, 200);
  EXPECT_EQ(code, EPIPE);
  EXPECT_GT(rest, kSize / 2);
}

TEST_F(MovedBodyTest, AnAnswerThatComesEarlyIsHeardOf) {
  serve([&](Exchange& exchange) {
    ASSERT_TRUE(exchange.start(200, "text/plain").ok());
    ASSERT_TRUE(exchange.write("early").ok());
    std::string piece(64 << 10, '\0');
    while (exchange.read(piece.data(), piece.size()).value() > 0) {
    }
    ASSERT_TRUE(exchange.write("late").ok());
  });
  std::string early;
  auto sent = request(kSize);
  sent.early = [&](std::string_view bytes) {
    early += bytes;
    return success();
  };
  Client client(address());
  auto answer = client.send(std::move(sent)).value();
  early += answer.read_all().value();
  EXPECT_EQ(early, "earlylate");
}

TEST_F(MovedBodyTest, AFileThatShrinksIsAnError) {
  serve([&](Exchange& exchange) { (void)exchange.read_body(2 * kSize); });
  Client client(address());
  const auto answer = client.send(request(kSize + 1));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().message(), "the file has become shorter while it was sent");
}

/// It would be of SIGPIPE.
TEST_F(MovedBodyTest, AServerThatLeavesIsNotTheClientsDeath) {
  serve([&](Exchange& exchange) {
    exchange.stop_reading();
    exchange.abort();
  });
  ::signal(SIGPIPE, SIG_DFL);
  Client client(address());
  const auto answer = client.send(request(kSize));
  ::signal(SIGPIPE, SIG_IGN);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind(), Kind::Unavailable) << answer.error().message();
  sigset_t pending;
  ::sigpending(&pending);
  EXPECT_EQ(::sigismember(&pending, SIGPIPE), 0);
}

TEST_F(MovedBodyTest, AFileThatCannotBeReadIsTheFilesError) {
  serve([&](Exchange& exchange) { (void)exchange.read_body(kSize); });
  file_ = sys::open_directory("/").value();
  Client client(address());
  const auto answer = client.send(request(kSize));
  ASSERT_FALSE(answer.ok());
  EXPECT_TRUE(answer.error().message().starts_with("read the file that is sent: "))
      << answer.error().message();
}

TEST_F(MovedBodyTest, ARefusalEndsTheSending) {
  serve([&](Exchange& exchange) { (void)exchange.send(413, "too large"); });
  Client client(address());
  auto answer = client.send(request(kSize)).value();
  EXPECT_EQ(answer.status, 413);
}

}  // namespace
}  // namespace skiff::http
