#include "http/parser.h"

#include <gtest/gtest.h>

namespace skiff::http {
namespace {

struct Read {
  MessageHead head;
  std::string body;
  bool done = false;
  bool failed = false;
  std::string rest;
};

/// Reads a message that arrives in pieces of `piece` bytes.
Read read(std::string_view text, std::size_t piece, MessageParser::Side side) {
  MessageParser parser(side);
  Read out;
  std::string buffer;
  std::size_t sent = 0;
  while (!parser.done()) {
    const auto eaten = parser.feed(buffer, out.body);
    if (!eaten.ok()) {
      out.failed = true;
      break;
    }
    buffer.erase(0, *eaten);
    if (*eaten > 0) continue;
    if (sent == text.size()) {
      out.failed = !parser.end().ok();
      break;
    }
    buffer += text.substr(sent, piece);
    sent = std::min(text.size(), sent + piece);
  }
  out.done = parser.done();
  out.head = parser.head();
  out.rest = buffer + std::string(text.substr(sent));
  return out;
}

TEST(ParserTest, PiecesDoNotMatter) {
  for (std::size_t piece = 1; piece < 60; ++piece) {
    const auto chunked = read(
        "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5;name=value\r\nhello\r\n00A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nNEXT",
        piece, MessageParser::Side::Request);
    EXPECT_TRUE(chunked.done);
    EXPECT_EQ(chunked.body, "hello0123456789");
    EXPECT_EQ(chunked.rest, "NEXT");
    const auto counted = read("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcNEXT", piece,
                              MessageParser::Side::Request);
    EXPECT_EQ(counted.body, "abc");
    EXPECT_EQ(counted.rest, "NEXT");
    const auto empty = read("GET /x HTTP/1.1\r\nHost: h\r\n\r\nNEXT", piece, MessageParser::Side::Request);
    EXPECT_TRUE(empty.done);
    EXPECT_EQ(empty.rest, "NEXT");
    const auto until_end = read("HTTP/1.1 200 OK\r\n\r\nall of it", piece, MessageParser::Side::Response);
    EXPECT_TRUE(until_end.done);
    EXPECT_FALSE(until_end.head.keep_alive);
    EXPECT_EQ(until_end.body, "all of it");
  }
}

TEST(ParserTest, MalformedChunks) {
  const std::string head = "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const auto* body : {"\r\n", "g\r\n", "5\nhello", "5\r\nhelloX\r\n", "1000000000000000\r\n", "0\rx",
                           "-1\r\n", ";x\r\n", "0\r\nTrailer\n", "2\r\nab\r"})
    EXPECT_TRUE(read(head + body, 1000, MessageParser::Side::Request).failed) << body;
  EXPECT_TRUE(read(head + "1;" + std::string(100000, 'x'), 1000, MessageParser::Side::Request).failed);
}

TEST(ParserTest, AnswersWithoutBody) {
  for (const auto* text :
       {"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"})
    EXPECT_TRUE(read(text, 1000, MessageParser::Side::Response).done) << text;
  MessageParser head_answer(MessageParser::Side::Response);
  head_answer.expect_no_body();
  std::string body;
  ASSERT_TRUE(head_answer.feed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", body).ok());
  EXPECT_TRUE(head_answer.done());
  EXPECT_EQ(head_answer.head().content_length, 5U);
}

}  // namespace
}  // namespace skiff::http
