#include "registry/client/challenge.h"

#include "base/strings.h"

namespace skiff::registry {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t'; }
bool is_token(char c) { return !is_space(c) && c != ',' && c != '=' && c != '"'; }

/// Reads one line: `Bearer realm="https://auth.example/token",service="x", Basic realm="y"`.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  void read(std::vector<Challenge>& out) {
    bool known = false;  // whether parameters belong to the last of `out`
    while (at_ < text_.size()) {
      skip([](char c) { return is_space(c) || c == ','; });
      std::string name = to_lower(take_token());
      if (name.empty()) {
        if (at_ < text_.size()) ++at_;  // something that no header has here
        continue;
      }
      skip(is_space);
      if (at_ < text_.size() && text_[at_] == '=') {
        ++at_;
        skip(is_space);
        std::string value = take_value();
        if (known) out.back().parameters.emplace(std::move(name), std::move(value));
      } else {
        out.push_back({std::move(name), {}});
        known = true;
      }
    }
  }

 private:
  template <typename Predicate>
  void skip(Predicate predicate) {
    while (at_ < text_.size() && predicate(text_[at_])) ++at_;
  }

  std::string_view take_token() {
    const std::size_t begin = at_;
    skip(is_token);
    return text_.substr(begin, at_ - begin);
  }

  std::string take_value() {
    if (at_ >= text_.size() || text_[at_] != '"') return std::string(take_token());
    std::string value;
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      value += text_[at_];
    }
    ++at_;
    return value;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<Challenge> parse_challenges(const http::Fields& fields) {
  std::vector<Challenge> challenges;
  for (const auto& [name, value] : fields.lines())
    if (equals_ignore_case(name, "WWW-Authenticate")) Reader(value).read(challenges);
  return challenges;
}

}  // namespace skiff::registry
