#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <csignal>
#include <random>
#include <thread>

#include "base/ids.h"
#include "monitor/log_format.h"
#include "monitor/log_reader.h"
#include "monitor/log_segment.h"
#include "monitor/log_writer.h"
#include "sys/file.h"

namespace skiff::monitor {
namespace {

Time at(std::int64_t nanoseconds) { return Time(std::chrono::nanoseconds(nanoseconds)); }

class LogTest : public testing::Test {
 protected:
  LogTest() : directory_("/tmp/monitor-log-test-" + random_hex(6)) {}
  ~LogTest() override { (void)sys::remove_tree(directory_); }

  LogWriter writer(std::uint64_t max_bytes = 20 << 20, int files = 5) {
    auto opened = LogWriter::open(directory_, {.max_bytes = max_bytes, .max_files = files});
    EXPECT_TRUE(opened.ok());
    return *std::move(opened);
  }
  LogReader reader(LogQuery query = {}) {
    auto opened = LogReader::open(directory_, query);
    EXPECT_TRUE(opened.ok());
    return *std::move(opened);
  }
  static std::string drain(LogReader& reader) {
    std::string all;
    while (true) {
      auto record = reader.next();
      EXPECT_TRUE(record.ok());
      if (!record.ok() || !record->has_value()) return all;
      all.append((*record)->bytes);
      if (!(*record)->partial) all.push_back('\n');
    }
  }
  std::string read(LogQuery query = {}) {
    LogReader log = reader(query);
    return drain(log);
  }
  std::string segment(std::uint64_t number) const { return directory_ + "/" + segment_name(number); }

  std::string directory_;
};

TEST(LogFormat, PieceComesBackAsItWent) {
  std::string text;
  const std::string payload("a\0b\xff\n", 5);
  append_piece(text, {.kind = LogPiece::Kind::Carry,
                      .stream = Stream::Stderr,
                      .time = at(1234567890123456789),
                      .bytes = payload});
  EXPECT_EQ(text.size(), encoded_size(payload.size()));
  const auto parsed = parse_piece(text);
  ASSERT_EQ(parsed.state, Parse::Complete);
  EXPECT_EQ(parsed.size, text.size());
  EXPECT_EQ(parsed.piece.kind, LogPiece::Kind::Carry);
  EXPECT_EQ(parsed.piece.stream, Stream::Stderr);
  EXPECT_EQ(parsed.piece.time, at(1234567890123456789));
  EXPECT_EQ(parsed.piece.bytes, payload);
  EXPECT_EQ(parse_time(std::string_view(text).substr(0, kPieceHeader)), at(1234567890123456789));
}

TEST(LogFormat, EveryPrefixIsIncomplete) {
  std::string text;
  append_piece(text, {.time = at(5), .bytes = "hello"});
  for (std::size_t length = 0; length < text.size(); ++length) {
    EXPECT_EQ(parse_piece(std::string_view(text).substr(0, length)).state, Parse::Incomplete) << length;
  }
}

TEST(LogFormat, ZerosAndFlippedHeaderBitsAreDamage) {
  EXPECT_EQ(parse_piece(std::string(100, '\0')).state, Parse::Damaged);
  std::string text;
  append_piece(text, {.time = at(5), .bytes = "hello"});
  for (std::size_t bit = 0; bit < kPieceHeader * 8; ++bit) {
    std::string flipped = text;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_NE(parse_piece(flipped).state, Parse::Complete) << bit;
  }
}

TEST(LogFormat, ValidLengthStopsAtTheTornRecord) {
  std::string text(kSegmentMagic);
  append_piece(text, {.time = at(5), .bytes = "one"});
  const std::size_t whole = text.size();
  append_piece(text, {.time = at(5), .bytes = "two"});
  EXPECT_EQ(valid_length(text, 0), text.size());
  EXPECT_EQ(valid_length(std::string_view(text).substr(0, text.size() - 1), 0), whole);
  EXPECT_EQ(valid_length("something else", 0), 0U);
  EXPECT_EQ(valid_length(std::string_view(text).substr(kSegmentMagic.size()), 7),
            text.size() - kSegmentMagic.size());
}

TEST(LogFormat, SegmentNames) {
  EXPECT_EQ(segment_name(7), "00000007.log");
  EXPECT_EQ(parse_segment_name("00000007.log"), 7U);
  EXPECT_EQ(parse_segment_name(compressed_name(7)), 7U);
  EXPECT_FALSE(parse_segment_name(compressed_name(7) + ".tmp"));
  EXPECT_FALSE(parse_segment_name("x.log"));
  EXPECT_FALSE(parse_segment_name("00000007.tmp"));
}

TEST_F(LogTest, MissingDirectoryIsAnEmptyLog) { EXPECT_EQ(read(), ""); }

TEST_F(LogTest, LinesArriveWhole) {
  auto log = writer();
  log.append(Stream::Stdout, "one\ntwo\nthr", at(1));
  log.append(Stream::Stderr, "warning\n", at(2));
  log.append(Stream::Stdout, "ee\n", at(3));
  log.append(Stream::Stdout, "end", at(4));
  log.finish(Stream::Stdout, at(5));
  ASSERT_TRUE(log.flush().ok());
  EXPECT_EQ(read(), "one\ntwo\nwarning\nthree\nend");
  EXPECT_EQ(read({.standard_error = false}), "one\ntwo\nthree\nend");
  EXPECT_EQ(read({.standard_output = false}), "warning\n");
}

TEST_F(LogTest, LongLinesAndNulBytesComeBackAsTheyWent) {
  std::string line(1 << 20, 'x');
  for (std::size_t i = 0; i < line.size(); i += 1000) line[i] = '\0';
  const std::string text =
      line + "\n" + std::string(kMaxLine, 'a') + "\n" + std::string(kMaxLine + 1, 'b') + "\nz\n";
  auto log = writer();
  for (std::size_t offset = 0; offset < text.size(); offset += 60000) {
    log.append(Stream::Stdout, std::string_view(text).substr(offset, 60000), at(1));
  }
  ASSERT_TRUE(log.flush().ok());
  EXPECT_EQ(read(), text);
  EXPECT_EQ(read({.tail = 1}), "z\n");
  EXPECT_EQ(read({.tail = 4}), text);
}

/// What a program wrote in pieces of any size comes back the same from wherever the reading begins.
TEST_F(LogTest, EveryBlockCanBeReadByItself) {
  std::mt19937 random(7);
  std::string text;
  std::vector<std::string> lines;
  while (text.size() < 5 * kBlock) {
    const std::size_t length = random() % 50 == 0 ? random() % 40000 : random() % 120;
    lines.push_back(std::string(length, static_cast<char>('a' + lines.size() % 26)) +
                    std::to_string(lines.size()) + "\n");
    text += lines.back();
  }
  auto log = writer();
  std::int64_t time = 1;
  for (std::string_view rest = text; !rest.empty(); ++time) {
    const std::string_view piece = rest.substr(0, 1 + random() % (random() % 4 == 0 ? 70000 : 300));
    rest.remove_prefix(piece.size());
    log.append(Stream::Stdout, piece, at(time));
    if (random() % 3 == 0) log.append(Stream::Stderr, "e", at(time));  // a line that stays open for long
    if (random() % 5 == 0) {
      ASSERT_TRUE(log.flush().ok());
    }
  }
  ASSERT_TRUE(log.flush().ok());
  EXPECT_EQ(read({.standard_error = false}), text);
  // Long lines come in parts, the time of the last part being that of the line's end: so count ends.
  std::string expected;
  for (std::size_t tail = 1; tail <= lines.size(); ++tail) {
    expected.insert(0, lines[lines.size() - tail]);
    if (tail % 97 != 1) continue;
    LogReader from = reader({.tail = tail});
    std::string all = drain(from);
    std::erase(all, 'e');  // parts of the open line of the other stream
    std::string wanted = expected;
    std::erase(wanted, 'e');
    ASSERT_EQ(all, wanted) << tail;
  }
  // All records, with their times, are the measure for any beginning.
  std::vector<std::pair<std::int64_t, std::string>> records;
  auto all = reader({.standard_error = false});
  while (true) {
    auto record = all.next();
    ASSERT_TRUE(record.ok());
    if (!*record) break;
    records.emplace_back((*record)->time.time_since_epoch().count(), std::string((*record)->bytes));
  }
  for (std::int64_t since = 0; since < time; since += 1 + static_cast<std::int64_t>(random() % 40)) {
    auto from = reader({.standard_error = false, .since = at(since)});
    auto first = from.next();
    ASSERT_TRUE(first.ok());
    const auto found = std::lower_bound(records.begin(), records.end(), std::pair(since, std::string()));
    ASSERT_EQ(first->has_value(), found != records.end()) << since;
    if (found == records.end()) continue;
    ASSERT_EQ((*first)->bytes, found->second) << since;
  }
}

TEST_F(LogTest, CompressedSegmentsReadLikePlainOnes) {
  auto log = writer(600 << 10, 20);
  std::string text;
  for (int i = 0; i < 60000; ++i) {
    const std::string line =
        "line " + std::to_string(i) + " of a log that says much the same again and again\n";
    text += line;
    log.append(Stream::Stdout, line, at(i));
    if (i % 100 == 0) {
      ASSERT_TRUE(log.flush().ok());
    }
  }
  ASSERT_TRUE(log.flush().ok());
  auto following = reader();  // has a segment open while it is replaced
  auto first = following.next();
  ASSERT_TRUE(first.ok() && first->has_value());
  while (true) {
    const auto next = plain_segment_below(directory_, log.current_segment());
    ASSERT_TRUE(next.ok());
    if (!*next) break;
    ASSERT_TRUE(compress_segment(directory_, **next).ok());
  }
  EXPECT_GT(log.current_segment(), 4U);
  struct stat status {};
  ASSERT_EQ(::stat((directory_ + "/" + compressed_name(1)).c_str(), &status), 0);
  EXPECT_LT(status.st_size, 150 << 10);
  EXPECT_NE(::stat(segment(1).c_str(), &status), 0);
  EXPECT_EQ(drain(following), text.substr(text.find('\n') + 1));
  EXPECT_EQ(read(), text);
  EXPECT_EQ(read({.tail = 50000}), text.substr(text.find("line 10000 ")));
  EXPECT_EQ(read({.since = at(20000)}), text.substr(text.find("line 20000 ")));
  EXPECT_EQ(read({.since = at(20000), .until = at(20001)}),
            text.substr(text.find("line 20000 "), text.find("line 20002 ") - text.find("line 20000 ")));
  // Another writer goes on behind them.
  auto next = writer(600 << 10, 20);
  next.append(Stream::Stdout, "more\n", at(70000));
  ASSERT_TRUE(next.flush().ok());
  EXPECT_EQ(read({.tail = 1}), "more\n");
}

TEST_F(LogTest, TimesAreFoundAcrossAClockThatWasSetBack) {
  auto log = writer();
  const auto second = [](int n) { return at(n * std::int64_t{1000000000}); };
  for (int i = 100; i < 110; ++i) log.append(Stream::Stdout, "a" + std::to_string(i) + "\n", second(i));
  for (int i = 50; i < 60; ++i) log.append(Stream::Stdout, "b" + std::to_string(i) + "\n", second(i));
  ASSERT_TRUE(log.flush().ok());
  EXPECT_EQ(log.current_segment(), 2U);
  EXPECT_EQ(read({.since = second(108)}), "a108\na109\n");
  EXPECT_EQ(read({.since = second(58), .until = second(59)}), "b58\nb59\n");
  EXPECT_EQ(read({.since = second(59), .until = second(100)}), "a100\nb59\n");
}

TEST_F(LogTest, UnfinishedLineOfAKilledWriterIsKept) {
  {
    auto log = writer();
    log.append(Stream::Stdout, "one\ntw", at(1));
    ASSERT_TRUE(log.flush().ok());
  }
  auto before = reader();
  EXPECT_EQ(drain(before), "one\n");
  before.set_abandoned();
  EXPECT_EQ(drain(before), "tw");
  EXPECT_EQ(drain(before), "");
  auto log = writer();
  log.append(Stream::Stdout, "three\n", at(2));
  ASSERT_TRUE(log.flush().ok());
  EXPECT_EQ(read(), "one\ntwthree\n");  // two records: the first is not ended by a newline
  EXPECT_EQ(read({.tail = 1}), "three\n");
}

TEST_F(LogTest, ExactlyFullLineIsOneRecord) {
  auto log = writer();
  log.append(Stream::Stdout, std::string(kMaxLine, 'a') + "\n", at(1));
  ASSERT_TRUE(log.flush().ok());
  auto log_reader = reader();
  auto record = log_reader.next();
  ASSERT_TRUE(record.ok() && record->has_value());
  EXPECT_FALSE((*record)->partial);
  EXPECT_EQ((*record)->bytes.size(), kMaxLine);
}

TEST_F(LogTest, RotationKeepsTheNewestSegments) {
  auto log = writer(1000, 3);
  std::string expected;
  for (int i = 0; i < 500; ++i) {
    log.append(Stream::Stdout, "line " + std::to_string(i) + "\n", at(i));
    if (i % 7 == 0) {
      ASSERT_TRUE(log.flush().ok());
    }
  }
  ASSERT_TRUE(log.flush().ok());
  const auto names = sys::list_directory(directory_);
  ASSERT_TRUE(names.ok());
  EXPECT_EQ(names->size(), 3U);
  for (const auto& name : *names) {
    struct stat status {};
    ASSERT_EQ(::stat((directory_ + "/" + name).c_str(), &status), 0);
    EXPECT_LE(status.st_size, 1000);
  }
  const std::string all = read();
  EXPECT_TRUE(all.ends_with("line 498\nline 499\n"));
  EXPECT_EQ(read({.tail = 40}), all.substr(all.find("line 460\n")));
  EXPECT_EQ(read({.tail = 1000}), all);
}

TEST_F(LogTest, BordersOfSegmentsAreNoneForReaders) {
  constexpr int kLines = 300;
  auto log = writer(600, 100);
  std::vector<std::size_t> begins;
  std::string text;
  for (int i = 0; i < kLines; ++i) {
    const std::string line = "line " + std::to_string(i) + "\n";
    begins.push_back(text.size());
    text += line;
    // Every third line lies in two records, and now and then in two segments.
    const std::size_t cut = i % 3 == 0 ? 4 : line.size();
    log.append(Stream::Stdout, line.substr(0, cut), at(i));
    ASSERT_TRUE(log.flush().ok());
    log.append(Stream::Stdout, line.substr(cut), at(i));
    ASSERT_TRUE(log.flush().ok());
  }
  ASSERT_GT(log.current_segment(), 15U);
  const auto check = [&] {
    for (std::size_t i = 0; i < kLines; ++i) {
      const auto time = at(static_cast<std::int64_t>(i));
      ASSERT_EQ(read({.tail = kLines - i}), text.substr(begins[i])) << i;
      ASSERT_EQ(read({.since = time}), text.substr(begins[i])) << i;
      ASSERT_EQ(read({.until = time}), text.substr(0, i + 1 < kLines ? begins[i + 1] : text.size())) << i;
    }
  };
  check();
  for (std::uint64_t number = 1; number < log.current_segment(); number += 2)
    ASSERT_TRUE(compress_segment(directory_, number).ok());
  check();
}

TEST_F(LogTest, TailCountsLines) {
  auto log = writer();
  for (int i = 0; i < 10; ++i) log.append(Stream::Stdout, std::to_string(i) + "\n", at(i));
  ASSERT_TRUE(log.flush().ok());
  EXPECT_EQ(read({.tail = 3}), "7\n8\n9\n");
  EXPECT_EQ(read({.tail = 0}), "");
  EXPECT_EQ(read({.tail = 10}), read());
  log.append(Stream::Stdout, "unfinished", at(11));
  log.finish(Stream::Stdout, at(11));
  ASSERT_TRUE(log.flush().ok());
  EXPECT_EQ(read({.tail = 2}), "9\nunfinished");
}

TEST_F(LogTest, SinceAndUntilAreInclusive) {
  auto log = writer();
  for (int i = 0; i < 10; ++i) log.append(Stream::Stdout, std::to_string(i) + "\n", at(i));
  ASSERT_TRUE(log.flush().ok());
  EXPECT_EQ(read({.since = at(3), .until = at(5)}), "3\n4\n5\n");
}

TEST_F(LogTest, TornTailIsShownOnceNobodyWritesAnyMore) {
  {
    auto log = writer();
    log.append(Stream::Stdout, "one\ntwo\nthree\n", at(1));
    ASSERT_TRUE(log.flush().ok());
  }
  struct stat status {};
  ASSERT_EQ(::stat(segment(1).c_str(), &status), 0);
  ASSERT_EQ(::truncate(segment(1).c_str(), status.st_size - 3), 0);
  auto torn = reader();
  EXPECT_EQ(drain(torn), "");
  torn.set_abandoned();
  EXPECT_EQ(drain(torn), "one\ntwo\nthr");
  auto log = writer();
  log.append(Stream::Stdout, "four\n", at(2));
  ASSERT_TRUE(log.flush().ok());
  EXPECT_EQ(read(), "one\ntwo\nthrfour\n");
  EXPECT_EQ(read({.tail = 2}), "thrfour\n");
}

TEST_F(LogTest, ZerosAfterPowerLossAreCutOff) {
  {
    auto log = writer();
    log.append(Stream::Stdout, "one\n", at(1));
    ASSERT_TRUE(log.flush().ok());
  }
  struct stat status {};
  ASSERT_EQ(::stat(segment(1).c_str(), &status), 0);
  ASSERT_EQ(::truncate(segment(1).c_str(), status.st_size + 5000), 0);
  EXPECT_EQ(read({.tail = 5}), "one\n");
  auto log = writer();
  log.append(Stream::Stdout, "two\n", at(2));
  ASSERT_TRUE(log.flush().ok());
  EXPECT_EQ(read(), "one\ntwo\n");
}

TEST_F(LogTest, DamagedSegmentIsPassedOver) {
  auto log = writer(300, 10);
  for (int i = 0; i < 60; ++i) log.append(Stream::Stdout, "line " + std::to_string(i) + "\n", at(i));
  ASSERT_TRUE(log.flush().ok());
  {
    auto file = sys::open_file(segment(2), O_WRONLY);
    ASSERT_TRUE(file.ok());
    ASSERT_EQ(::pwrite(file->get(), "XXXXXXXX", 8, 60), 8);
  }
  auto log_reader = reader();
  const std::string all = drain(log_reader);
  EXPECT_GT(log_reader.damaged_bytes(), 0U);
  EXPECT_TRUE(all.starts_with("line 0\n"));
  EXPECT_TRUE(all.ends_with("line 59\n"));
}

TEST_F(LogTest, FollowSeesNewLinesAcrossRotation) {
  auto log = writer(500, 100);
  auto log_reader = reader();
  EXPECT_EQ(drain(log_reader), "");
  std::string expected;
  std::string seen;
  for (int i = 0; i < 100; ++i) {
    const std::string line = "line " + std::to_string(i) + "\n";
    expected += line;
    log.append(Stream::Stdout, line, at(i));
    ASSERT_TRUE(log.flush().ok());
    if (i % 10 == 0) seen += drain(log_reader);
  }
  seen += drain(log_reader);
  EXPECT_EQ(seen, expected);
}

TEST_F(LogTest, OnlyWhatIsPresentEndsThoughTheLogGrows) {
  auto log = writer(500, 100);
  EXPECT_EQ(read({.only_present = true}), "");
  auto empty = reader({.only_present = true});
  std::string expected;
  for (int i = 0; i < 50; ++i) {
    const std::string line = "line " + std::to_string(i) + "\n";
    expected += line;
    log.append(Stream::Stdout, line, at(i));
    ASSERT_TRUE(log.flush().ok());
    if (i < 1) continue;
    auto all = reader({.only_present = true});
    auto last = reader({.tail = 1, .only_present = true});
    // In the same block and, every tenth time or so, in a new segment.
    const std::string later = "later " + std::to_string(i) + "\n";
    log.append(Stream::Stdout, later, at(i));
    ASSERT_TRUE(log.flush().ok());
    EXPECT_EQ(drain(all), expected);
    EXPECT_EQ(drain(last), line);
    all.set_abandoned();
    EXPECT_EQ(drain(all), "");
    expected += later;
  }
  EXPECT_EQ(drain(empty), "");
}

TEST_F(LogTest, WaitWakesOnGrowthAndOnInterrupt) {
  using namespace std::chrono_literals;
  auto log = writer();
  auto log_reader = reader();
  EXPECT_EQ(drain(log_reader), "");
  auto woken = log_reader.wait(0ms);  // the first one only sets the watch up
  ASSERT_TRUE(woken.ok());
  EXPECT_EQ(*woken, LogReader::Wake::More);
  EXPECT_EQ(*log_reader.wait(0ms), LogReader::Wake::Timeout);
  log.append(Stream::Stdout, "x\n", at(1));
  ASSERT_TRUE(log.flush().ok());
  EXPECT_EQ(*log_reader.wait(10s), LogReader::Wake::More);
  EXPECT_EQ(drain(log_reader), "x\n");
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  ::close(ends[1]);
  EXPECT_EQ(*log_reader.wait(10s, ends[0]), LogReader::Wake::Interrupted);
  ::close(ends[0]);
}

TEST_F(LogTest, FailedWriteLosesItsLinesOnly) {
  auto log = writer();
  log.append(Stream::Stdout, "one\n", at(1));
  ASSERT_TRUE(log.flush().ok());
  // A file size limit stands in for a full disk: the write gets a few bytes through and then fails.
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const rlimit low{.rlim_cur = 40, .rlim_max = old.rlim_max};
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &low), 0);
  log.append(Stream::Stdout, "lost 1\nlost 2\nlost 3\n", at(2));
  const auto failed = log.flush();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  ::signal(SIGXFSZ, handler);
  EXPECT_FALSE(failed.ok());
  EXPECT_EQ(log.lost_lines(), 3U);
  log.append(Stream::Stdout, "two\n", at(3));
  ASSERT_TRUE(log.flush().ok());
  EXPECT_EQ(read(), "one\ntwo\n");
}

}  // namespace
}  // namespace skiff::monitor
