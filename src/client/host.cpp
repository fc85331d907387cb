#include "client/host.h"

#include "base/strings.h"

namespace skiff::client {
namespace {

constexpr std::string_view kScheme = "ssh://";

struct SshUrl {
  std::string user;
  std::string host;
  std::string port;
  std::string path;
};

Result<SshUrl> parse_ssh(std::string_view text) {
  const auto invalid = [](const std::string& why) {
    return fail(Kind::InvalidArgument, "ssh host connection is not valid: invalid SSH URL: {}", why);
  };
  std::string_view rest = text.substr(kScheme.size());
  if (const auto at = rest.find('#'); at != std::string_view::npos)
    return invalid(fmt::format("fragments are not allowed: {}", quote(rest.substr(at + 1))));
  if (const auto at = rest.find('?'); at != std::string_view::npos)
    return invalid(fmt::format("query parameters are not allowed: {}", quote(rest.substr(at + 1))));
  SshUrl url;
  const auto slash = rest.find('/');
  if (slash != std::string_view::npos) {
    url.path = rest.substr(slash);
    rest = rest.substr(0, slash);
  }
  if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
    url.user = rest.substr(0, at);
    rest = rest.substr(at + 1);
    if (url.user.find(':') != std::string::npos) return invalid("plain-text password is not supported");
  }
  if (rest.starts_with('[')) {
    const auto end = rest.find(']');
    if (end == std::string_view::npos) return invalid("missing ']' in host");
    url.host = rest.substr(1, end - 1);
    rest = rest.substr(end + 1);
    if (!rest.empty() && !rest.starts_with(':')) return invalid("invalid port after host");
    url.port = rest.substr(rest.empty() ? 0 : 1);
  } else {
    const auto [host, port] = cut(rest, ':');
    url.host = host;
    url.port = port.value_or("");
  }
  if (url.host.empty()) return invalid("hostname is empty");
  const auto number = parse_uint(url.port);
  if (!url.port.empty() && (!number || *number > 65535))
    return invalid(fmt::format("invalid port {} after host", quote(":" + url.port)));
  return url;
}

/// One word for a shell.
std::string shell_word(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'')
      out += "'\\''";
    else
      out += c;
  }
  return out + "'";
}

}  // namespace

Result<http::Address> parse_host(std::string_view text) {
  if (!text.starts_with(kScheme)) return http::Address::parse(text);
  const SshUrl url = TRY(parse_ssh(text));
  http::Address address;
  address.path = text;
  address.command = {"ssh", "-o", "ConnectTimeout=30", "-T"};
  const auto add = [&](std::string_view flag, const std::string& value) {
    if (value.empty()) return;
    address.command.emplace_back(flag);
    address.command.push_back(value);
  };
  add("-l", url.user);
  add("-p", url.port);
  address.command.emplace_back("--");
  address.command.push_back(url.host);
  const bool has_path = url.path.size() > 1;
  const std::string dial =
      (has_path ? "--host " + shell_word("unix://" + url.path) + " " : "") + "system dial-stdio";
  // Whatever shell the user has there reads this.
  address.command.push_back("sh -c " +
                            shell_word(fmt::format("if command -v skiff >/dev/null; then exec skiff {0}; "
                                                   "else exec docker {0}; fi",
                                                   dial)));
  return address;
}

}  // namespace skiff::client
