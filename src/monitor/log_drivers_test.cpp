#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zlib.h>

#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "base/ids.h"
#include "base/json.h"
#include "monitor/gzip_members.h"
#include "monitor/json_file_log.h"
#include "monitor/json_log_reader.h"
#include "monitor/json_text.h"
#include "monitor/log_factory.h"
#include "monitor/log_reader.h"
#include "monitor/remote_log.h"
#include "sys/file.h"
#include "sys/spawn.h"

namespace skiff::monitor {
namespace {

using namespace std::chrono_literals;

Time at(std::int64_t nanoseconds) { return Time(std::chrono::nanoseconds(nanoseconds)); }
/// 2026-01-02T03:04:05Z and so many seconds.
Time moment(std::int64_t seconds) { return at((1767323045 + seconds) * std::int64_t{1000000000}); }

class DriverTest : public testing::Test {
 protected:
  DriverTest() : directory_("/tmp/monitor-drivers-test-" + random_hex(6)) {
    EXPECT_TRUE(sys::make_directories(directory_).ok());
    loop_ = *Loop::create();
  }
  ~DriverTest() override { (void)sys::remove_tree(directory_); }

  /// Serves what happens within that time.
  void turn(std::chrono::milliseconds time = 30ms) {
    const auto timer = loop_->after(time, [this] { loop_->stop(); });
    ASSERT_TRUE(loop_->run().ok());
    loop_->resume();
  }
  /// Serves until there are so many bytes, or no more come.
  void receive(const sys::Fd& socket, std::string& text, std::size_t wanted) {
    for (int idle = 0; idle < 60 && text.size() < wanted; ++idle) {
      turn(10ms);
      char buffer[70000];
      ssize_t count = 0;
      while ((count = ::recv(socket.get(), buffer, sizeof(buffer), MSG_DONTWAIT)) > 0) {
        text.append(buffer, static_cast<std::size_t>(count));
        idle = 0;
      }
    }
  }
  static std::string drain(LogSource& log) {
    std::string text;
    while (true) {
      auto record = log.next();
      EXPECT_TRUE(record.ok());
      if (!record.ok() || !*record) return text;
      text += (*record)->bytes;
      if (!(*record)->partial) text += '\n';
    }
  }

  std::string directory_;
  std::unique_ptr<Loop> loop_;
};

// --- json-file

class JsonFileTest : public DriverTest {
 protected:
  LogSettings settings(std::uint64_t max_bytes = 0, int files = 1) {
    LogSettings wanted;
    wanted.driver = "json-file";
    wanted.path = directory_ + "/c-json.log";
    wanted.max_bytes = max_bytes;
    wanted.max_files = files;
    wanted.compress = false;
    return wanted;
  }
  std::unique_ptr<JsonFileLog> open(const LogSettings& wanted) {
    auto log = JsonFileLog::open(*loop_, wanted);
    EXPECT_TRUE(log.ok());
    return *std::move(log);
  }
  std::unique_ptr<JsonLogReader> reader(LogQuery query = {}) {
    auto log = JsonLogReader::open(directory_ + "/c-json.log", query);
    EXPECT_TRUE(log.ok());
    return *std::move(log);
  }
  std::string read(LogQuery query = {}) { return drain(*reader(query)); }
  std::string file(const std::string& end = "") {
    return sys::read_file(directory_ + "/c-json.log" + end).value_or("");
  }
};

TEST(JsonText, EscapesLikeGo) {
  const auto escaped = [](std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
  };
  EXPECT_EQ(escaped("plain"), "\"plain\"");
  EXPECT_EQ(escaped(std::string_view("a\0b\"\\\n\r\t\x1b<>&\x7f", 13)),
            "\"a\\u0000b\\\"\\\\\\n\\r\\u0009\\u001b\\u003c\\u003e\\u0026\x7f\"");
  EXPECT_EQ(escaped("\xff\xc3\xa9\xe2\x80\xa8\xe2\x80\xa9\xed\xa0\x80\xf0\x9f\x98\x80\xc3"),
            "\"\\ufffd\xc3\xa9\\u2028\\u2029\\ufffd\\ufffd\\ufffd\xf0\x9f\x98\x80\\ufffd\"");
  // Wherever it stands.
  for (std::size_t before = 0; before < 40; ++before) {
    const std::string plain(before, '~');
    for (const auto& [special, as] : std::map<std::string, std::string>{{"\"", "\\\""},
                                                                        {"\\", "\\\\"},
                                                                        {"<", "\\u003c"},
                                                                        {">", "\\u003e"},
                                                                        {"&", "\\u0026"},
                                                                        {"\x1f", "\\u001f"},
                                                                        {"\x80", "\\ufffd"}}) {
      EXPECT_EQ(escaped(plain + special + " and more than sixteen bytes"),
                "\"" + plain + as + " and more than sixteen bytes\"");
    }
  }
}

TEST_F(JsonFileTest, LinesHaveDockersForm) {
  LogSettings wanted = settings();
  wanted.fields = {{"tag", "t"}, {"a", "<b>"}};
  auto log = open(wanted);
  log->append(Stream::Stdout, "one\ntw", moment(0));
  log->append(Stream::Stderr, "\n", moment(0) + 5ns);
  log->append(Stream::Stdout, "o\nend", moment(1));
  log->finish(Stream::Stdout, moment(2));
  ASSERT_TRUE(log->flush().ok());
  EXPECT_EQ(
      file(),
      R"({"log":"one\n","stream":"stdout","attrs":{"a":"\u003cb\u003e","tag":"t"},"time":"2026-01-02T03:04:05Z"})"
      "\n"
      R"({"log":"\n","stream":"stderr","attrs":{"a":"\u003cb\u003e","tag":"t"},"time":"2026-01-02T03:04:05.000000005Z"})"
      "\n"
      R"({"log":"two\n","stream":"stdout","attrs":{"a":"\u003cb\u003e","tag":"t"},"time":"2026-01-02T03:04:06Z"})"
      "\n"
      R"({"log":"end","stream":"stdout","attrs":{"a":"\u003cb\u003e","tag":"t"},"time":"2026-01-02T03:04:07Z"})"
      "\n");
  EXPECT_EQ(read(), "one\n\ntwo\nend");
  EXPECT_EQ(read({.standard_output = false}), "\n");
  EXPECT_EQ(read({.tail = 2}), "two\nend");
  EXPECT_EQ(read({.tail = 0}), "");
  EXPECT_EQ(read({.since = moment(1), .until = moment(1)}), "two\n");
  auto with_details = reader();
  const auto record = with_details->next();
  ASSERT_TRUE(record.ok() && *record);
  EXPECT_EQ((*record)->details, "a=%3Cb%3E,tag=t");
}

TEST_F(JsonFileTest, NulBytesAndLongLinesComeBack) {
  std::string line(1 << 20, 'x');
  for (std::size_t i = 0; i < line.size(); i += 1000) line[i] = '\0';
  auto log = open(settings());
  log->append(Stream::Stdout, line + "\n", moment(0));
  ASSERT_TRUE(log->flush().ok());
  EXPECT_EQ(read(), line + "\n");
}

TEST_F(JsonFileTest, RotationAndCompressionKeepWhatTheyPromise) {
  LogSettings wanted = settings(10000, 4);
  auto log = open(wanted);
  std::string expected;
  auto following = reader();
  std::string followed;
  for (int i = 0; i < 1000; ++i) {
    log->append(Stream::Stdout, "line " + std::to_string(i) + "\n", moment(i));
    ASSERT_TRUE(log->flush().ok());
    if (i % 50 == 0) followed += drain(*following);
    if (const auto old = plain_rotated_file(wanted.path, 4); old && i % 300 == 299) {
      ASSERT_TRUE(gzip_file(*old).ok());
    }
    expected += "line " + std::to_string(i) + "\n";
  }
  followed += drain(*following);
  EXPECT_EQ(followed, expected);
  const std::string all = read();
  EXPECT_GT(all.size(), 3000U);
  EXPECT_TRUE(expected.ends_with(all));
  EXPECT_FALSE(sys::exists(wanted.path + ".4"));
  while (const auto old = plain_rotated_file(wanted.path, 4)) {
    ASSERT_TRUE(gzip_file(*old).ok());
  }
  EXPECT_TRUE(sys::exists(wanted.path + ".1.gz"));
  EXPECT_EQ(read(), all);
  for (const std::uint64_t tail : {1, 7, 150, 300}) {
    const std::string last = read({.tail = tail});
    EXPECT_EQ(static_cast<std::uint64_t>(std::count(last.begin(), last.end(), '\n')), tail);
    EXPECT_TRUE(expected.ends_with(last));
  }
  EXPECT_EQ(read({.since = moment(998)}), "line 998\nline 999\n");
}

TEST_F(JsonFileTest, OneFileIsEmptiedAndFollowed) {
  auto log = open(settings(1000, 1));
  auto following = reader();
  std::string followed;
  std::string expected;
  for (int i = 0; i < 100; ++i) {
    log->append(Stream::Stdout, std::to_string(i) + "\n", moment(i));
    ASSERT_TRUE(log->flush().ok());
    followed += drain(*following);
    expected += std::to_string(i) + "\n";
  }
  EXPECT_EQ(followed, expected);
  EXPECT_LE(file().size(), 1100U);
}

TEST_F(JsonFileTest, OnlyWhatIsPresentEndsThoughTheLogGrows) {
  auto log = open(settings(1000, 50));
  log->append(Stream::Stdout, "first\n", moment(0));
  ASSERT_TRUE(log->flush().ok());
  std::string expected = "first\n";
  for (int i = 0; i < 60; ++i) {
    auto all = reader({.only_present = true});
    auto last = reader({.tail = 1, .only_present = true});
    const std::string line = "line " + std::to_string(i) + "\n";
    log->append(Stream::Stdout, line, moment(i));
    ASSERT_TRUE(log->flush().ok());
    EXPECT_EQ(drain(*all), expected);
    EXPECT_EQ(drain(*last), expected.substr(expected.rfind('\n', expected.size() - 2) + 1));
    expected += line;
  }
}

TEST_F(JsonFileTest, MomentsAreFoundInALargeFile) {
  auto log = open(settings());
  for (int i = 0; i < 30000; ++i)
    log->append(Stream::Stdout, "a line of some length, the " + std::to_string(i) + "th\n", moment(i));
  ASSERT_TRUE(log->flush().ok());
  for (const int since : {0, 1, 777, 15000, 29998, 29999}) {
    const std::string found = read({.since = moment(since)});
    EXPECT_EQ(std::count(found.begin(), found.end(), '\n'), 30000 - since);
  }
  EXPECT_EQ(read({.since = moment(30000)}), "");
}

TEST_F(JsonFileTest, MomentsAndLastLinesAreFoundInCompressedFiles) {
  const LogSettings wanted = settings(1500000, 5);
  auto log = open(wanted);
  constexpr int kLines = 40000;
  for (int i = 0; i < kLines; ++i)
    log->append(Stream::Stdout, "a line of some length, the " + std::to_string(i) + "th\n", moment(i));
  ASSERT_TRUE(log->flush().ok());
  const std::string all = read();
  while (const auto old = plain_rotated_file(wanted.path, 5)) ASSERT_TRUE(gzip_file(*old).ok());
  const auto file = sys::open_file(wanted.path + ".2.gz", O_RDONLY);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(gzip_members(*file)->size(), 6U);
  // Any tool unpacks it, as one.
  const auto unpacked =
      sys::run({.program = "/bin/gzip", .arguments = {"gzip", "-dc", wanted.path + ".2.gz"}});
  ASSERT_TRUE(unpacked.ok());
  EXPECT_GT(unpacked->standard_output.size(), 1500000U);
  EXPECT_EQ(read(), all);
  const auto rest_from = [&](int first) {
    return all.substr(all.find(fmt::format("the {}th\n", first)) - 23);
  };
  for (const int first : {0, 1, 777, 11111, 12345, 23456, 29998, kLines - 1}) {
    EXPECT_EQ(read({.since = moment(first)}), rest_from(first)) << first;
    EXPECT_EQ(read({.tail = kLines - first}), rest_from(first)) << first;
  }
  // Where blocks and files meet.
  for (int first = 11000; first < 14000; first += 17) {
    auto one = reader({.since = moment(first), .until = moment(first)});
    EXPECT_EQ(drain(*one), fmt::format("a line of some length, the {}th\n", first));
    auto last = reader({.tail = static_cast<std::uint64_t>(kLines - first)});
    const auto record = last->next();
    ASSERT_TRUE(record.ok() && *record);
    EXPECT_EQ((*record)->time, moment(first));
  }
  EXPECT_EQ(read({.since = moment(kLines)}), "");
}

/// As gzip(1) or Docker compress it: one member without a word about its lines.
TEST_F(JsonFileTest, FilesThatOthersCompressedAreRead) {
  const LogSettings wanted = settings(10000, 3);
  auto log = open(wanted);
  for (int i = 0; i < 250; ++i) log->append(Stream::Stdout, "line " + std::to_string(i) + "\n", moment(i));
  ASSERT_TRUE(log->flush().ok());
  const std::string all = read();
  ASSERT_TRUE(sys::run({.program = "/bin/gzip", .arguments = {"gzip", wanted.path + ".1"}}).ok());
  ASSERT_TRUE(sys::exists(wanted.path + ".1.gz"));
  EXPECT_EQ(read(), all);
  EXPECT_EQ(read({.since = moment(100), .until = moment(101)}), "line 100\nline 101\n");
  const std::string last = read({.tail = 150});
  EXPECT_TRUE(last.starts_with("line 100\n")) << last;
}

/// The reader stands at the end of a file that was rotated and compressed in the meantime, and finds the
/// next.
TEST_F(JsonFileTest, AFollowerOutlivesRotationAndCompression) {
  const LogSettings wanted = settings(2000, 9);
  auto log = open(wanted);
  std::string expected;
  std::string followed;
  int count = 0;
  const auto write = [&](int lines) {
    for (int i = 0; i < lines; ++i, ++count) {
      log->append(Stream::Stdout, "line " + std::to_string(count) + "\n", moment(count));
      expected += "line " + std::to_string(count) + "\n";
    }
    ASSERT_TRUE(log->flush().ok());
  };
  write(30);
  auto following = reader();
  for (int round = 0; round < 6; ++round) {
    followed += drain(*following);
    write(60);  // three files
    while (const auto old = plain_rotated_file(wanted.path, 9)) ASSERT_TRUE(gzip_file(*old).ok());
  }
  followed += drain(*following);
  EXPECT_EQ(followed, expected);
}

TEST_F(JsonFileTest, FullDiskCostsItsLinesOnly) {
  auto log = open(settings());
  log->append(Stream::Stdout, "one\n", moment(0));
  ASSERT_TRUE(log->flush().ok());
  // A file size limit stands in for a full disk: the write gets a few bytes through and then fails.
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit low{.rlim_cur = file().size() + 10, .rlim_max = old.rlim_max};
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &low), 0);
  log->append(Stream::Stdout, "lost 1\nlost 2\n", moment(1));
  const auto failed = log->flush();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  ::signal(SIGXFSZ, handler);
  EXPECT_FALSE(failed.ok());
  EXPECT_EQ(log->lost_lines(), 2U);
  log->append(Stream::Stdout, "two\n", moment(2));
  ASSERT_TRUE(log->flush().ok());
  EXPECT_EQ(read(), "one\ntwo\n");
}

TEST_F(JsonFileTest, TornLineOfAKilledWriterSpoilsNoOther) {
  { std::ofstream(directory_ + "/c-json.log") << R"({"log":"to)"; }
  auto log = open(settings());
  log->append(Stream::Stdout, "two\n", moment(0));
  ASSERT_TRUE(log->flush().ok());
  EXPECT_EQ(read(), "two\n");
}

// --- remote drivers

class RemoteTest : public DriverTest {
 protected:
  /// A listening socket at directory_/server.
  sys::Fd listen(int type) {
    const std::string path = directory_ + "/server";
    ::unlink(path.c_str());
    sys::Fd socket(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path.copy(name.sun_path, sizeof(name.sun_path) - 1);
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&name), sizeof(name)), 0);
    if (type == SOCK_STREAM) {
      EXPECT_EQ(::listen(socket.get(), 5), 0);
    }
    return socket;
  }
  sys::Fd accept(const sys::Fd& listener) {
    for (int i = 0; i < 300; ++i) {
      turn(10ms);
      sys::Fd client(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (client.valid()) return client;
    }
    ADD_FAILURE() << "nobody connected";
    return sys::Fd();
  }
  LogSettings settings(const std::string& driver, const std::string& network) {
    LogSettings wanted;
    wanted.driver = driver;
    wanted.target = {network, {directory_ + "/server"}};
    wanted.tag = "tag";
    wanted.host_name = "host";
    return wanted;
  }
  std::unique_ptr<RemoteLog> open(const LogSettings& wanted) {
    return std::make_unique<RemoteLog>(*loop_, wanted, make_encoder(wanted), nullptr, [this] { ++changes_; });
  }
  int changes_ = 0;
};

std::string encoded(const LogSettings& settings, std::string_view text, Stream stream = Stream::Stdout) {
  std::vector<LogPacket> packets;
  make_encoder(settings)->encode({.stream = stream, .time = moment(0) + 6789us, .text = text, .part_id = {}},
                                 packets);
  EXPECT_EQ(packets.size(), 1U);
  return packets.empty() ? "" : packets[0].bytes;
}

TEST_F(RemoteTest, SyslogFormats) {
  LogSettings wanted = settings("syslog", "unixgram");
  const std::string pid = std::to_string(::getpid());
  wanted.options = {{"facility", "19"}, {"format", "rfc5424"}};
  EXPECT_EQ(encoded(wanted, "text"), "<158>1 2026-01-02T03:04:05Z host tag " + pid + " tag - text\n");
  wanted.options["format"] = "rfc5424micro";
  EXPECT_EQ(encoded(wanted, "text", Stream::Stderr),
            "<155>1 2026-01-02T03:04:05.006789Z host tag " + pid + " tag - text\n");
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  wanted.options["format"] = "rfc3164";
  EXPECT_EQ(encoded(wanted, "text"), "<158>Jan  2 03:04:05 host tag[" + pid + "]: text\n");
  wanted.options["format"] = "";
  EXPECT_EQ(encoded(wanted, "text"), "<158>Jan  2 03:04:05 tag[" + pid + "]: text\n");
}

TEST_F(RemoteTest, FluentdSpeaksMessagePack) {
  LogSettings wanted = settings("fluentd", "unix");
  wanted.fields = {{"container_id", std::string(64, 'c')}};
  const std::string time("\x69\x57\x35\xa5", 4);
  EXPECT_EQ(encoded(wanted, "text"), "\x94\xa3tag\xd2" + time + "\x83\xac" + "container_id\xd9@" +
                                         std::string(64, 'c') + "\xa6source\xa6stdout\xa3log\xa4text\x80");
  wanted.options = {{"sub-second", "true"}};
  const std::string precise = encoded(wanted, "text");
  EXPECT_EQ(precise.substr(5, 10), std::string("\xd7\0", 2) + time + std::string("\0\x67\x97\x88", 4));
}

TEST_F(RemoteTest, GelfIsCompressedAndChunked) {
  LogSettings wanted = settings("gelf", "udp");
  wanted.fields = {{"_a", "b"}};
  wanted.options = {{"compression", "none"}, {"level", "1"}};
  EXPECT_EQ(
      encoded(wanted, "te\"xt"),
      R"({"version":"1.1","host":"host","short_message":"te\"xt","timestamp":1767323045.006,"level":6,"_a":"b"})");
  std::vector<LogPacket> packets;
  make_encoder(wanted)->encode({.text = std::string(5000, 'x'), .part_id = {}}, packets);
  ASSERT_EQ(packets.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(packets[i].bytes.substr(0, 2), "\x1e\x0f");
    EXPECT_EQ(packets[i].bytes[10], static_cast<char>(i));
    EXPECT_EQ(packets[i].bytes[11], 4);
    EXPECT_LE(packets[i].bytes.size(), 1420U);
  }
  wanted.options["compression"] = "zlib";
  const std::string packed = encoded(wanted, "text");
  std::string text(1000, '\0');
  uLongf length = text.size();
  ASSERT_EQ(::uncompress(reinterpret_cast<Bytef*>(text.data()), &length,
                         reinterpret_cast<const Bytef*>(packed.data()), packed.size()),
            Z_OK);
  EXPECT_TRUE(text.starts_with(R"({"version":"1.1","host":"host","short_message":"text")"));
  wanted.target.network = "tcp";
  EXPECT_EQ(encoded(wanted, "text").back(), '\0');
}

TEST_F(RemoteTest, JournalGetsFieldsAndLargeMessagesAsFiles) {
  LogSettings wanted = settings("journald", "unixgram");
  wanted.fields = {{"CONTAINER_NAME", "n"}, {"TWO", "a\nb"}};
  const sys::Fd server = listen(SOCK_DGRAM);
  auto log = open(wanted);
  log->append(Stream::Stderr, "text\n", moment(0));
  ASSERT_TRUE(log->flush().ok());
  std::string got;
  receive(server, got, 10);
  EXPECT_TRUE(
      got.starts_with(std::string("CONTAINER_NAME=n\nTWO\n\3\0\0\0\0\0\0\0a\nb\nCONTAINER_LOG_EPOCH=", 49)));
  EXPECT_TRUE(got.ends_with(
      "CONTAINER_LOG_ORDINAL=1\nSYSLOG_TIMESTAMP=2026-01-02T03:04:05Z\nPRIORITY=3\nMESSAGE=text\n"));
  wanted.fields["BIG"] = std::string(400000, 'b');
  auto large = open(wanted);
  large->append(Stream::Stdout, "large\n", moment(0));
  ASSERT_TRUE(large->flush().ok());
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ASSERT_EQ(::recvmsg(server.get(), &message, MSG_DONTWAIT), 0);
  ASSERT_NE(CMSG_FIRSTHDR(&message), nullptr);
  int number = -1;
  std::memcpy(&number, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(number));
  const sys::Fd file(number);
  struct stat status {};
  ASSERT_EQ(::fstat(file.get(), &status), 0);
  EXPECT_GT(status.st_size, 400000);
}

TEST_F(RemoteTest, LinesWaitForAServerThatComesBack) {
  auto log = open(settings("syslog", "unix"));  // nobody is there
  log->append(Stream::Stdout, "one\ntwo\n", moment(0));
  ASSERT_TRUE(log->flush().ok());
  EXPECT_FALSE(log->full());
  turn();
  sys::Fd server = listen(SOCK_STREAM);
  {
    const sys::Fd client = accept(server);
    std::string got;
    receive(client, got, 60);
    EXPECT_NE(got.find("]: one\n"), std::string::npos);
    EXPECT_NE(got.find("]: two\n"), std::string::npos);
  }
  server.reset();
  turn();
  log->append(Stream::Stdout, "three\n", moment(1));
  ASSERT_TRUE(log->flush().ok());
  server = listen(SOCK_STREAM);
  const sys::Fd again = accept(server);
  std::string got;
  receive(again, got, 20);
  EXPECT_NE(got.find("]: three\n"), std::string::npos);
  EXPECT_EQ(log->dropped(), 0U);
}

TEST_F(RemoteTest, TheBufferIsBoundedAndKeepsTheNewest) {
  LogSettings wanted = settings("syslog", "unix");
  wanted.buffer_bytes = 10000;
  auto log = open(wanted);
  for (int i = 0; i < 5000; ++i) log->append(Stream::Stdout, "line " + std::to_string(i) + "\n", moment(0));
  ASSERT_TRUE(log->flush().ok());
  EXPECT_FALSE(log->full());  // a server that is down holds nobody back
  EXPECT_GT(log->dropped(), 4000U);
  const sys::Fd server = listen(SOCK_STREAM);
  const sys::Fd client = accept(server);
  std::string got;
  receive(client, got, 9000);
  EXPECT_LE(got.size(), 10000U);
  EXPECT_TRUE(got.ends_with("]: line 4999\n"));
}

TEST_F(RemoteTest, ASlowServerHoldsTheProgramOnlyInBlockingMode) {
  for (const bool blocking : {true, false}) {
    LogSettings wanted = settings("syslog", "unix");
    wanted.buffer_bytes = 10000;
    wanted.blocking = blocking;
    const sys::Fd server = listen(SOCK_STREAM);
    auto log = open(wanted);
    const sys::Fd client = accept(server);
    changes_ = 0;
    for (int i = 0; i < 20000; ++i)
      log->append(Stream::Stdout, "line " + std::to_string(i) + "\n", moment(0));
    ASSERT_TRUE(log->flush().ok());
    EXPECT_EQ(log->full(), blocking);
    EXPECT_EQ(log->dropped() > 0, !blocking);
    std::string got;
    receive(client, got, 1 << 30);
    EXPECT_FALSE(log->full());
    EXPECT_TRUE(got.ends_with("]: line 19999\n"));
    if (blocking) {
      EXPECT_EQ(changes_, 1);
      EXPECT_EQ(std::count(got.begin(), got.end(), '\n'), 20000);
    }
  }
}

TEST_F(RemoteTest, AcknowledgedMessagesAreSentAgain) {
  LogSettings wanted = settings("fluentd", "unix");
  wanted.options = {{"acknowledge", "true"}};
  const sys::Fd server = listen(SOCK_STREAM);
  auto log = open(wanted);
  log->append(Stream::Stdout, "one\ntwo\n", moment(0));
  ASSERT_TRUE(log->flush().ok());
  std::string first;
  {
    const sys::Fd client = accept(server);
    receive(client, first, 50);
    EXPECT_NE(first.find("one"), std::string::npos);
    EXPECT_EQ(first.find("two"), std::string::npos);
  }  // hangs up without a word
  const sys::Fd client = accept(server);
  std::string again;
  receive(client, again, 50);
  EXPECT_EQ(again, first);
  const auto chunk = again.substr(again.find("chunk") + 7, 32);
  ASSERT_TRUE(sys::write_all(client,
                             "\x81\xa3"
                             "ack\xd9 " +
                                 chunk)
                  .ok());
  std::string second;
  receive(client, second, 50);
  EXPECT_NE(second.find("two"), std::string::npos);
}

/// A script stands in for what speaks TLS: it is refused once, then there.
TEST_F(RemoteTest, TlsIsSpokenByAProcessBeside) {
  const std::string program = directory_ + "/tls";
  const std::string told = directory_ + "/told";
  ASSERT_TRUE(
      sys::replace_file(
          program,
          fmt::format("#!/bin/sh\nif [ ! -e {0}.1 ]; then echo \"$1\" >{0}.1; printf 'bad certificate' >&0; "
                      "exit 1; fi\nprintf '\\006' >&0\nexec cat >{0}\n",
                      told),
          0755)
          .ok());
  LogSettings wanted = settings("syslog", "tcp+tls");
  wanted.target.addresses = {"192.0.2.1:6514"};
  wanted.target.tls = {.program = program, .server_name = "logs.example.org", .ca = "/ca.pem"};
  const auto has = [&](const char* text) {
    return sys::read_file(told).value_or("").find(text) != std::string::npos;
  };
  {
    auto log = open(wanted);
    log->append(Stream::Stdout, "one\n", moment(0));
    ASSERT_TRUE(log->flush().ok());
    for (int i = 0; i < 200 && !has("one\n"); ++i) turn(20ms);
    EXPECT_TRUE(has("one\n"));
    EXPECT_EQ(log->dropped(), 0U);
    log->append(Stream::Stdout, "two\n", moment(0));
    ASSERT_TRUE(log->flush().ok());
    log->close();
    while (log->busy()) turn(10ms);
  }
  // What was handed over arrives, though we are gone.
  for (int i = 0; i < 200 && !has("two\n"); ++i) ::usleep(20'000);
  EXPECT_TRUE(has("two\n"));
  const auto options = json::parse(*sys::read_file(told + ".1"));
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->at("address").as_string(), "192.0.2.1:6514");
  EXPECT_EQ(options->at("server_name").as_string(), "logs.example.org");
  EXPECT_EQ(options->at("ca").as_string(), "/ca.pem");
}

TEST_F(RemoteTest, TheLastLinesAreSentAfterTheEnd) {
  LogSettings wanted = settings("syslog", "unix");
  auto log = open(wanted);
  log->append(Stream::Stdout, "last\nwords", moment(0));
  log->finish(Stream::Stdout, moment(0));
  ASSERT_TRUE(log->flush().ok());
  log->close();
  EXPECT_TRUE(log->busy());
  const sys::Fd server = listen(SOCK_STREAM);
  const sys::Fd client = accept(server);
  std::string got;
  receive(client, got, 60);
  EXPECT_TRUE(got.ends_with("]: words\n"));
  EXPECT_FALSE(log->busy());
  EXPECT_GT(changes_, 0);
}

TEST_F(DriverTest, OldSegmentsAreCompressedOnceItIsCalm) {
  LogSettings wanted;
  wanted.directory = directory_ + "/log";
  wanted.max_bytes = 10000;
  auto log = make_log(*loop_, wanted, [] {});
  ASSERT_TRUE(log.ok());
  (*log)->append(Stream::Stdout, std::string(35000, 'x') + "\n", moment(0));
  ASSERT_TRUE((*log)->flush().ok());
  for (int i = 0; i < 100 && !sys::exists(wanted.directory + "/" + compressed_name(3)); ++i) turn(100ms);
  for (std::uint64_t number = 1; number <= 3; ++number) {
    EXPECT_TRUE(sys::exists(wanted.directory + "/" + compressed_name(number))) << number;
    EXPECT_FALSE(sys::exists(wanted.directory + "/" + segment_name(number))) << number;
  }
  (*log)->close();
  auto kept = LogReader::open(wanted.directory, {});
  ASSERT_TRUE(kept.ok());
  EXPECT_EQ(drain(*kept), std::string(35000, 'x') + "\n");
}

TEST_F(RemoteTest, WhatCannotBeReadIsKeptBeside) {
  LogSettings wanted = settings("gelf", "unix");
  wanted.directory = directory_ + "/log";
  auto log = make_log(*loop_, wanted, [] {});
  ASSERT_TRUE(log.ok());
  (*log)->append(Stream::Stdout, "kept\n", moment(0));
  ASSERT_TRUE((*log)->flush().ok());
  auto kept = LogReader::open(wanted.directory, {});
  ASSERT_TRUE(kept.ok());
  EXPECT_EQ(drain(*kept), "kept\n");
}

}  // namespace
}  // namespace skiff::monitor
