#include "client/query.h"

#include "base/json.h"

namespace skiff::client {

namespace {

std::string encode(std::string_view text, std::string_view kept) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       kept.find(c) != std::string_view::npos;
    if (plain) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

}  // namespace

std::string encode_path(std::string_view text) { return encode(text, "-_.~/:@"); }
std::string encode_query(std::string_view text) { return encode(text, "-_.~"); }

Query& Query::add(std::string_view name, std::string_view value) {
  text_ += any_ ? '&' : '?';
  text_ += encode_query(name) + "=" + encode_query(value);
  any_ = true;
  return *this;
}

Query& Query::filters(const Filters& filters) {
  if (filters.empty()) return *this;
  json::Object object;
  for (const auto& [name, values] : filters) {
    json::Object set;
    for (const auto& value : values) set.emplace(value, true);
    object.emplace(name, std::move(set));
  }
  return add("filters", json::to_text(object));
}

}  // namespace skiff::client
