#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::client {

/// Filters as lists take them: {"label": ["a=b"]}.
using Filters = std::map<std::string, std::vector<std::string>>;

/// A path with its query, percent-encoded: Query("/containers/json").add("all", "1").text()
class Query {
 public:
  explicit Query(std::string path) : text_(std::move(path)) {}

  Query& add(std::string_view name, std::string_view value);
  /// Leaves the parameter out when `value` is empty.
  Query& add_if(std::string_view name, std::string_view value) {
    return value.empty() ? *this : add(name, value);
  }
  Query& flag(std::string_view name, bool value) { return value ? add(name, "1") : *this; }
  Query& filters(const Filters& filters);

  const std::string& text() const { return text_; }

 private:
  std::string text_;
  bool any_ = false;
};

/// One segment of a path ('/' stays: image names have them).
std::string encode_path(std::string_view text);
std::string encode_query(std::string_view text);

}  // namespace skiff::client
