#include "monitor/json_text.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

namespace skiff::monitor {
namespace {

constexpr char kHex[] = "0123456789abcdef";

constexpr std::array<bool, 256> plain_bytes() {
  std::array<bool, 256> plain{};
  for (int byte = 0x20; byte < 0x80; ++byte)
    plain[byte] = byte != '"' && byte != '\\' && byte != '<' && byte != '>' && byte != '&';
  return plain;
}
constexpr std::array<bool, 256> kPlain = plain_bytes();

/// How many bytes at the start of `bytes` stand for themselves.
std::size_t plain_length(std::string_view bytes) {
  // One of these is compared by one instruction.
  using Group [[gnu::vector_size(16)]] = signed char;
  std::size_t length = 0;
  for (; length + sizeof(Group) <= bytes.size(); length += sizeof(Group)) {
    Group group;
    std::memcpy(&group, bytes.data() + length, sizeof group);
    // Controls, and as negative numbers what is not ASCII.
    const Group special =
        (group < 0x20) | (group == '"') | (group == '\\') | (group == '<') | (group == '>') | (group == '&');
    std::uint64_t halves[2];
    std::memcpy(halves, &special, sizeof halves);
    if ((halves[0] | halves[1]) != 0) break;
  }
  while (length < bytes.size() && kPlain[static_cast<unsigned char>(bytes[length])]) ++length;
  return length;
}

/// The length of the UTF-8 sequence at the start of `bytes`, whose first byte is not ASCII; 0 when it is
/// none.
std::size_t sequence_length(std::string_view bytes) {
  const auto at = [&](std::size_t i) { return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U; };
  const auto follows = [&](std::size_t i) { return (at(i) & 0xC0U) == 0x80U; };
  const unsigned first = at(0);
  if (first >= 0xC2 && first < 0xE0) return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first < 0xF0) {
    if (!follows(1) || !follows(2)) return 0;
    if (first == 0xE0 && at(1) < 0xA0) return 0;   // overlong
    if (first == 0xED && at(1) >= 0xA0) return 0;  // surrogates
    return 3;
  }
  if (first >= 0xF0 && first < 0xF5) {
    if (!follows(1) || !follows(2) || !follows(3)) return 0;
    if (first == 0xF0 && at(1) < 0x90) return 0;
    if (first == 0xF4 && at(1) >= 0x90) return 0;
    return 4;
  }
  return 0;
}

/// Appends what stands at the start of `bytes` and is not plain; answers its length.
std::size_t append_special(std::string& out, std::string_view bytes) {
  const auto byte = static_cast<unsigned char>(bytes[0]);
  if (byte < 0x80) {
    switch (byte) {
      case '"':
      case '\\':
        out += '\\';
        out += bytes[0];
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      default:
        out += "\\u00";
        out += kHex[byte >> 4];
        out += kHex[byte & 15];
    }
    return 1;
  }
  const std::size_t length = sequence_length(bytes);
  if (length == 0) {
    out += "\\ufffd";
    return 1;
  }
  const std::string_view sequence = bytes.substr(0, length);
  if (sequence == "\xE2\x80\xA8" || sequence == "\xE2\x80\xA9")
    out += sequence.back() == '\xA8' ? "\\u2028" : "\\u2029";
  else
    out += sequence;
  return length;
}

}  // namespace

void append_json_escaped(std::string& out, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t plain = plain_length(bytes);
    out.append(bytes.substr(0, plain));
    bytes.remove_prefix(plain);
    if (!bytes.empty()) bytes.remove_prefix(append_special(out, bytes));
  }
}

void append_json_string(std::string& out, std::string_view bytes) {
  out += '"';
  append_json_escaped(out, bytes);
  out += '"';
}

void append_json_object(std::string& out, const std::map<std::string, std::string>& members) {
  out += '{';
  bool first = true;
  for (const auto& [name, value] : members) {
    if (!std::exchange(first, false)) out += ',';
    append_json_string(out, name);
    out += ':';
    append_json_string(out, value);
  }
  out += '}';
}

}  // namespace skiff::monitor
