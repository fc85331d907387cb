#include "http/fields.h"

#include <algorithm>
#include <array>

#include "base/strings.h"

namespace skiff::http {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

struct Phrase {
  int status;
  std::string_view words;
};
constexpr std::array kPhrases = {
    Phrase{100, "Continue"},
    Phrase{101, "UPGRADED"},
    Phrase{200, "OK"},
    Phrase{201, "Created"},
    Phrase{202, "Accepted"},
    Phrase{204, "No Content"},
    Phrase{206, "Partial Content"},
    Phrase{304, "Not Modified"},
    Phrase{307, "Temporary Redirect"},
    Phrase{400, "Bad Request"},
    Phrase{401, "Unauthorized"},
    Phrase{403, "Forbidden"},
    Phrase{404, "Not Found"},
    Phrase{405, "Method Not Allowed"},
    Phrase{406, "Not Acceptable"},
    Phrase{409, "Conflict"},
    Phrase{413, "Request Entity Too Large"},
    Phrase{415, "Unsupported Media Type"},
    Phrase{416, "Requested Range Not Satisfiable"},
    Phrase{429, "Too Many Requests"},
    Phrase{431, "Request Header Fields Too Large"},
    Phrase{500, "Internal Server Error"},
    Phrase{501, "Not Implemented"},
    Phrase{502, "Bad Gateway"},
    Phrase{503, "Service Unavailable"},
    Phrase{507, "Insufficient Storage"},
};

}  // namespace

std::string_view Fields::get(std::string_view name) const {
  for (const auto& [key, value] : lines_)
    if (equals_ignore_case(key, name)) return value;
  return {};
}

bool Fields::has(std::string_view name) const {
  return std::any_of(lines_.begin(), lines_.end(),
                     [&](const auto& line) { return equals_ignore_case(line.first, name); });
}

bool Fields::has_token(std::string_view name, std::string_view token) const {
  for (const auto& [key, value] : lines_) {
    if (!equals_ignore_case(key, name)) continue;
    for (const auto& part : split(value, ','))
      if (equals_ignore_case(trim(part), token)) return true;
  }
  return false;
}

void Fields::set(std::string_view name, std::string value) {
  std::erase_if(lines_, [&](const auto& line) { return equals_ignore_case(line.first, name); });
  lines_.emplace_back(std::string(name), std::move(value));
}

std::string Fields::to_text() const {
  std::string out;
  const auto append_clean = [&](std::string_view text) {
    for (const char c : text)
      if (c != '\r' && c != '\n') out += c;
  };
  for (const auto& [name, value] : lines_) {
    append_clean(name);
    out += ": ";
    append_clean(value);
    out += "\r\n";
  }
  return out;
}

std::string percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high >= 0 && low >= 0) {
        out += static_cast<char>(high * 16 + low);
        i += 2;
        continue;
      }
    }
    out += plus_is_space && text[i] == '+' ? ' ' : text[i];
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                            c == '-' || c == '.' || c == '_' || c == '~';
    if (unreserved) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

std::string_view reason_phrase(int status) {
  for (const auto& phrase : kPhrases)
    if (phrase.status == status) return phrase.words;
  return "Status";
}

}  // namespace skiff::http
