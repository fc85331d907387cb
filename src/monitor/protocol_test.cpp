#include "monitor/protocol.h"

#include <fcntl.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/ids.h"
#include "sys/file.h"
#include "sys/socket.h"

namespace skiff::monitor {
namespace {

Message round_trip(std::uint64_t id, std::string_view type, json::Value body, std::vector<sys::Fd> fds = {}) {
  auto pair = sys::packet_pair();
  EXPECT_TRUE(pair.ok());
  auto packed = pack(id, type, std::move(body), std::move(fds));
  EXPECT_TRUE(packed.ok());
  EXPECT_TRUE(send(pair->first, *packed).ok());
  auto message = receive(pair->second);
  EXPECT_TRUE(message.ok());
  return *std::move(message);
}

TEST(Protocol, CreateComesBackAsItWent) {
  CreateRequest request;
  request.id = "abc";
  request.config.process.emplace().args = {"sh", "-c", "echo \"x\""};
  request.rootfs.push_back(spec::oci::Mount(spec::Mount{.type = "overlay", .options = {"lowerdir+=/a"}}));
  request.log.max_files = 3;
  request.init = true;
  request.runtime = ExternalRuntime{.name = "a", .path = "/b", .arguments = {"--c"}, .init = "/d"};
  request.attachments.push_back({.early_input = std::string("\0\xff", 2), .detach_keys = "\x10\x11"});
  const Message message = round_trip(7, type::kCreate, json::to_value(request));
  EXPECT_EQ(message.id, 7U);
  EXPECT_EQ(message.type, type::kCreate);
  EXPECT_EQ(message.version, kProtocolVersion);
  const auto read = json::from_value<CreateRequest>(message.body);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->config.process->args, request.config.process->args);
  EXPECT_EQ(read->rootfs.at(0).options, request.rootfs.at(0).options);
  EXPECT_EQ(read->log.max_files, 3);
  EXPECT_TRUE(read->init);
  EXPECT_EQ(read->runtime->path, "/b");
  EXPECT_EQ(read->runtime->arguments, std::vector<std::string>{"--c"});
  EXPECT_EQ(read->attachments.at(0).early_input, std::string("\0\xff", 2));
  EXPECT_EQ(read->attachments.at(0).detach_keys, "\x10\x11");
}

TEST(Protocol, LargeBodiesTravelInAFile) {
  StatsReply reply{.json = std::string(3 << 20, 'x')};
  auto descriptor = sys::open_file("/dev/null", O_RDONLY);
  ASSERT_TRUE(descriptor.ok());
  std::vector<sys::Fd> fds;
  fds.push_back(*std::move(descriptor));
  const Message message = round_trip(1, type::kAnswer, json::to_value(reply), std::move(fds));
  const auto read = json::from_value<StatsReply>(message.body);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->json, reply.json);
  EXPECT_EQ(message.fds.size(), 1U);
}

TEST(Protocol, ForeignBytesAreRefused) {
  for (const std::string_view text : {"x", "[]", "{\"id\":-1}", "{\"type\":3}", "{\"body_in_file\":true}"}) {
    auto pair = sys::packet_pair();
    ASSERT_TRUE(pair.ok());
    ASSERT_TRUE(sys::send_packet(pair->first, text).ok());
    const auto message = receive(pair->second);
    ASSERT_FALSE(message.ok()) << text;
    EXPECT_EQ(message.error().kind(), Kind::InvalidArgument) << text;
  }
}

TEST(Protocol, FailureKeepsKindAndCode) {
  const Error error(Kind::Forbidden, "exec: \"x\": permission denied", EACCES);
  const Error back = Failure::of(error).to_error();
  EXPECT_EQ(back.kind(), Kind::Forbidden);
  EXPECT_EQ(back.message(), error.message());
  EXPECT_EQ(back.code(), EACCES);
  EXPECT_EQ((Failure{.kind = "of-the-future", .message = "m"}).to_error().kind(), Kind::Internal);
}

TEST(ExitRecord, IsReadBackAndRemoved) {
  const std::string directory = "/tmp/monitor-exit-test-" + random_hex(6);
  ASSERT_TRUE(sys::make_directories(directory).ok());
  auto none = read_exit_record(directory);
  ASSERT_TRUE(none.ok());
  EXPECT_FALSE(none->has_value());
  const ExitStatus exit{.code = 137, .oom_killed = true, .started = now(), .finished = now(), .error = "x"};
  ASSERT_TRUE(write_exit_record(directory, exit, true).ok());
  auto read = read_exit_record(directory);
  ASSERT_TRUE(read.ok() && read->has_value());
  EXPECT_EQ((*read)->code, 137);
  EXPECT_TRUE((*read)->oom_killed);
  EXPECT_EQ((*read)->started, exit.started);
  EXPECT_EQ((*read)->finished, exit.finished);
  EXPECT_EQ((*read)->error, "x");
  ASSERT_TRUE(remove_exit_record(directory).ok());
  ASSERT_TRUE(remove_exit_record(directory).ok());
  EXPECT_FALSE(read_exit_record(directory)->has_value());
  (void)sys::remove_tree(directory);
}

}  // namespace
}  // namespace skiff::monitor
