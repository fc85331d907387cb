#include "client/host.h"

#include <gtest/gtest.h>

#include "base/strings.h"

namespace skiff::client {
namespace {

/// The command without what runs on the far side.
std::string ssh(std::string_view text) {
  auto words = parse_host(text)->command;
  words.pop_back();
  return join(words, " ");
}

TEST(Hosts, SshCommands) {
  EXPECT_EQ(ssh("ssh://host"), "ssh -o ConnectTimeout=30 -T -- host");
  EXPECT_EQ(ssh("ssh://me@host:22"), "ssh -o ConnectTimeout=30 -T -l me -p 22 -- host");
  EXPECT_EQ(ssh("ssh://[::1]:77/"), "ssh -o ConnectTimeout=30 -T -p 77 -- ::1");
  EXPECT_EQ(
      parse_host("ssh://host")->command.back(),
      "sh -c 'if command -v skiff >/dev/null; then exec skiff system dial-stdio; else exec docker system "
      "dial-stdio; fi'");
  // Two shells read the path.
  EXPECT_NE(parse_host("ssh://host/run/it's.sock")->command.back().find("--host '\\''unix:///run/it"),
            std::string::npos);
  EXPECT_EQ(parse_host("ssh://me@host:22")->to_string(), "ssh://me@host:22");
}

TEST(Hosts, SshUrlsThatAreNone) {
  const auto why = [](std::string_view text) {
    const std::string message = parse_host(text).error().message();
    constexpr std::string_view kPrefix = "ssh host connection is not valid: invalid SSH URL: ";
    EXPECT_TRUE(message.starts_with(kPrefix)) << message;
    return message.substr(std::min(message.size(), kPrefix.size()));
  };
  EXPECT_EQ(why("ssh://user:pw@host"), "plain-text password is not supported");
  EXPECT_EQ(why("ssh://"), "hostname is empty");
  EXPECT_EQ(why("ssh://host?x"), "query parameters are not allowed: \"x\"");
  EXPECT_EQ(why("ssh://host#x"), "fragments are not allowed: \"x\"");
  EXPECT_EQ(why("ssh://host:x"), "invalid port \":x\" after host");
  EXPECT_EQ(why("ssh://[::1"), "missing ']' in host");
}

TEST(Hosts, OthersAreAsEver) {
  EXPECT_EQ(parse_host("unix:///run/x.sock")->path, "/run/x.sock");
  EXPECT_EQ(parse_host("tcp://127.0.0.1:1")->port, 1);
  EXPECT_FALSE(parse_host("fd://").ok());
}

}  // namespace
}  // namespace skiff::client
