#include "runtime/fake_criu.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <string_view>

#include "sys/file.h"

namespace skiff::runtime::test {
namespace {

using namespace std::literals;

constexpr int kSocket = 3;

void answer(std::string_view bytes) { (void)!::send(kSocket, bytes.data(), bytes.size(), MSG_NOSIGNAL); }

/// The next request; "" when they have hung up. Each is kept in a file of its own.
std::string hear(const std::string& log, int count) {
  std::string bytes(64 << 10, '\0');
  const ssize_t size = ::recv(kSocket, bytes.data(), bytes.size(), 0);
  bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  if (!bytes.empty()) (void)sys::replace_file(log + "/heard-" + std::to_string(count), bytes);
  return bytes;
}

int converse(std::string_view behaviour, const std::string& log) {
  for (int count = 0;; ++count) {
    const auto request = hear(log, count);
    if (request.empty()) return 0;
    if (behaviour == "silent") return 1;
    const char type = request[1];
    if (type == 10) {
      answer(behaviour == "old" ? "\x08\x0a\x10\x01\x52\x04\x08\x03\x10\x00"sv
                                : "\x08\x0a\x10\x01\x52\x06\x08\x04\x10\x02\x20\x01"sv);
    } else if (type == 9) {
      answer(behaviour == "poor" ? "\x08\x09\x10\x01\x42\x00"sv
                                 : "\x08\x09\x10\x01\x42\x04\x08\x01\x10\x01"sv);
    } else if (type != 6 && behaviour == "notifies") {
      answer("\x08\x06\x10\x01\x2a\x14\x0a\x10setup-namespaces\x10\x07"sv);
    } else {
      const bool good = behaviour != "fails" && (type != 6 || members(request, 3) == std::vector{"1"s});
      const char result[] = {8, type == 6 ? '\1' : type, 16, good ? '\1' : '\0', 56, good ? '\0' : '\5'};
      answer(std::string_view(result, sizeof result));
      return good ? 0 : 1;
    }
  }
}

/// Before main(): a program called criu is the fake.
[[gnu::constructor]] void stand_in(int count, char** arguments, char**) {
  const char* behaviour = ::getenv("FAKE_CRIU");
  const char* log = ::getenv("FAKE_CRIU_LOG");
  if (count == 3 && arguments[1] == "swrk"sv && behaviour && log) ::_exit(converse(behaviour, log));
}

}  // namespace

FakeCriu::FakeCriu(const std::string& behaviour) : search_path_(::getenv("PATH")) {
  char name[] = "/tmp/skiff-criu-XXXXXX";
  path_ = ::mkdtemp(name);
  char program[4096] = {};
  EXPECT_GT(::readlink("/proc/self/exe", program, sizeof program - 1), 0);
  EXPECT_EQ(::symlink(program, (path_ + "/criu").c_str()), 0);
  ::setenv("PATH", (path_ + ":" + search_path_).c_str(), 1);
  ::setenv("FAKE_CRIU", behaviour.c_str(), 1);
  ::setenv("FAKE_CRIU_LOG", path_.c_str(), 1);
}

FakeCriu::~FakeCriu() {
  ::setenv("PATH", search_path_.c_str(), 1);
  ::unsetenv("FAKE_CRIU");
  ::unsetenv("FAKE_CRIU_LOG");
  EXPECT_TRUE(sys::remove_tree(path_));
}

std::vector<std::string> FakeCriu::heard() const {
  std::vector<std::string> all;
  for (auto next = sys::read_file(path_ + "/heard-0"); next;
       next = sys::read_file(path_ + "/heard-" + std::to_string(all.size())))
    all.push_back(*next);
  return all;
}

std::vector<std::string> members(const std::string& message, unsigned number) {
  std::vector<std::string> found;
  std::size_t at = 0;
  const auto varint = [&] {
    std::uint64_t value = 0;
    for (unsigned shift = 0; at < message.size(); shift += 7) {
      const auto byte = static_cast<unsigned char>(message[at++]);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return value;
  };
  while (at < message.size()) {
    const auto key = varint();
    const auto value = varint();
    const bool bytes = (key & 7) == 2;
    if (key >> 3 == number) found.push_back(bytes ? message.substr(at, value) : std::to_string(value));
    if (bytes) at += value;
  }
  return found;
}

}  // namespace skiff::runtime::test
