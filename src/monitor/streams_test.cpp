#include "monitor/streams.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "sys/file.h"

namespace skiff::monitor {
namespace {

using namespace std::chrono_literals;

struct Ends {
  sys::Fd ours;
  sys::Fd theirs;
};

Ends socket_pair() {
  int ends[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  return {.ours = sys::Fd(ends[0]), .theirs = sys::Fd(ends[1])};
}

/// {read end, write end}
Ends pipe_pair() {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  return {.ours = sys::Fd(ends[0]), .theirs = sys::Fd(ends[1])};
}

std::string read_now(const sys::Fd& fd, std::size_t limit = SIZE_MAX) {
  ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
  std::string text;
  char buffer[65536];
  ssize_t count = 0;
  while (text.size() < limit &&
         (count = ::read(fd.get(), buffer, std::min(sizeof(buffer), limit - text.size()))) > 0) {
    text.append(buffer, static_cast<std::size_t>(count));
  }
  return text;
}

/// Streams of a program that the test plays: it holds the other ends.
class StreamsTest : public testing::Test {
 protected:
  StreamsTest() {
    auto made = Loop::create();
    EXPECT_TRUE(made.ok());
    loop_ = *std::move(made);
  }

  void open(bool close_stdin) {
    streams_ = std::make_unique<Streams>(
        *loop_, Streams::Options{.close_stdin = close_stdin, .drained = [this] { drained_ = true; }});
    Ends in = pipe_pair();
    Ends out = pipe_pair();
    Ends err = pipe_pair();
    program_in_ = std::move(in.ours);
    program_out_ = std::move(out.theirs);
    program_err_ = std::move(err.theirs);
    StreamEnds ends;
    ends.in = std::move(in.theirs);
    ends.out = std::move(out.ours);
    ends.err = std::move(err.ours);
    ASSERT_TRUE(streams_->open(std::move(ends)).ok());
  }

  sys::Fd attach(AttachmentHeader header) {
    Ends pair = socket_pair();
    EXPECT_TRUE(streams_->attach(std::move(header), std::move(pair.ours)).ok());
    return std::move(pair.theirs);
  }

  /// Serves everything that is ready now.
  void turn() {
    const auto timer = loop_->after(30ms, [this] { loop_->stop(); });
    ASSERT_TRUE(loop_->run().ok());
    loop_->resume();
  }

  void print(std::string_view text) { ASSERT_TRUE(sys::write_all(program_out_, text).ok()); }
  void end_program() {
    program_out_.reset();
    program_err_.reset();
    program_in_.reset();
    streams_->process_ended();
  }

  std::unique_ptr<Loop> loop_;
  std::unique_ptr<Streams> streams_;
  sys::Fd program_in_;
  sys::Fd program_out_;
  sys::Fd program_err_;
  bool drained_ = false;
};

TEST_F(StreamsTest, ClientsGetTheStreamsTheyAskedFor) {
  open(false);
  const sys::Fd framed = attach({});
  const sys::Fd raw = attach({.standard_output = false, .multiplexed = false});
  print("out");
  ASSERT_TRUE(sys::write_all(program_err_, "err").ok());
  turn();
  EXPECT_EQ(read_now(raw), "err");
  EXPECT_EQ(read_now(framed).size(), 2 * (8 + 3));
}

TEST_F(StreamsTest, HalfCloseEndsInputOnlyWhenAsked) {
  open(true);
  const sys::Fd client = attach({.early_input = "early ", .standard_input = true, .multiplexed = false});
  ASSERT_TRUE(sys::write_all(client, "late").ok());
  ::shutdown(client.get(), SHUT_WR);
  turn();
  EXPECT_EQ(sys::read_all(program_in_).value_or(""), "early late");
  EXPECT_TRUE(streams_->has_clients());
  print("answer");
  turn();
  EXPECT_EQ(read_now(client), "answer");
}

TEST_F(StreamsTest, HalfCloseOtherwiseEndsTheSession) {
  open(false);
  const sys::Fd client = attach({.standard_input = true});
  ::shutdown(client.get(), SHUT_WR);
  turn();
  EXPECT_FALSE(streams_->has_clients());
  ASSERT_TRUE(sys::write_all(attach({.standard_input = true}), "x").ok());
  turn();
  EXPECT_EQ(read_now(program_in_), "x");
}

TEST_F(StreamsTest, InputOfAClientThatLeftAtOnceArrivesWhole) {
  open(true);
  std::string text(150000, 'i');
  {
    const sys::Fd client = attach({.standard_input = true});
    ::fcntl(client.get(), F_SETFL, O_NONBLOCK);
    ASSERT_EQ(::write(client.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  std::string seen;
  for (int i = 0; i < 20 && seen.size() < text.size(); ++i) {
    turn();
    seen += read_now(program_in_);
  }
  EXPECT_EQ(seen, text);
}

TEST_F(StreamsTest, FullClientHoldsTheProgramBackAndGetsEverything) {
  open(false);
  const sys::Fd client = attach({.multiplexed = false});
  ::fcntl(program_out_.get(), F_SETFL, O_NONBLOCK);
  const std::string chunk(4096, 'x');
  std::size_t written = 0;
  for (int round = 0; round < 60; ++round) {
    ssize_t count = 0;
    std::size_t before = written;
    while ((count = ::write(program_out_.get(), chunk.data(), chunk.size())) > 0) {
      written += static_cast<std::size_t>(count);
    }
    if (before == written) break;
    turn();
  }
  EXPECT_GE(written, Client::kHighWater);
  EXPECT_LT(written, 3 * Client::kHighWater);
  std::size_t seen = 0;
  while (seen < written) {
    const std::size_t count = read_now(client).size();
    seen += count;
    turn();
  }
  EXPECT_EQ(seen, written);
  EXPECT_GT(::write(program_out_.get(), chunk.data(), chunk.size()), 0);
}

TEST_F(StreamsTest, EndIsToldOnceEverythingWasRead) {
  open(false);
  const sys::Fd client = attach({.multiplexed = false});
  print("last words");
  end_program();
  EXPECT_FALSE(drained_);
  turn();
  EXPECT_TRUE(drained_);
  EXPECT_TRUE(streams_->has_clients());  // until the owner has told whoever should know first
  streams_->finish_clients();
  turn();
  EXPECT_EQ(sys::read_all(client).value_or(""), "last words");
  EXPECT_FALSE(streams_->has_clients());
}

TEST_F(StreamsTest, ClosedOutputIsNotTheEnd) {
  open(false);
  const sys::Fd client = attach({.standard_input = true, .multiplexed = false});
  program_out_.reset();
  program_err_.reset();
  turn();
  EXPECT_FALSE(drained_);
  EXPECT_TRUE(streams_->has_clients());
  ASSERT_TRUE(sys::write_all(client, "still read").ok());
  turn();
  EXPECT_EQ(read_now(program_in_), "still read");
}

TEST_F(StreamsTest, SomebodyElseHoldingThePipeDelaysTheEndOnlySoLong) {
  open(false);
  auto grandchild = sys::duplicate(program_out_);
  ASSERT_TRUE(grandchild.ok());
  end_program();
  turn();
  EXPECT_FALSE(drained_);
  const auto timer = loop_->after(Streams::kDrainLimit + 500ms, [this] { loop_->stop(); });
  ASSERT_TRUE(loop_->run().ok());
  EXPECT_TRUE(drained_);
}

TEST_F(StreamsTest, ResizeNeedsATerminal) {
  open(false);
  EXPECT_EQ(streams_->resize(80, 24).error().kind(), Kind::Conflict);
}

}  // namespace
}  // namespace skiff::monitor
