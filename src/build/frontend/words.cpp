#include "build/frontend/words.h"

#include <algorithm>

#include "base/json.h"
#include "base/strings.h"

namespace skiff::build {
namespace {

bool is_blank(char c) { return isspace(static_cast<unsigned char>(c)); }

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

/// Reads one flag word from `text` at `at`, resolving quotes and backslashes.
std::string read_flag(std::string_view text, std::size_t& at) {
  std::string word;
  char quote = 0;
  for (; at < text.size(); ++at) {
    char c = text[at];
    if (quote ? c == quote : c == '"' || c == '\'') {
      quote = quote ? 0 : c;
      continue;
    }
    if (!quote && is_blank(c)) break;
    if (c == '\\') {
      if (at + 1 == text.size()) continue;
      c = text[++at];
    }
    word += c;
  }
  return word;
}

}  // namespace

std::vector<std::string> split_blanks(std::string_view text) {
  std::vector<std::string> words;
  std::size_t at = 0;
  while (at < text.size()) {
    while (at < text.size() && is_blank(text[at])) ++at;
    const std::size_t start = at;
    while (at < text.size() && !is_blank(text[at])) ++at;
    if (at > start) words.emplace_back(text.substr(start, at - start));
  }
  return words;
}

std::vector<std::string> split_words(std::string_view text, char escape) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (!quote && is_blank(c)) {
      if (in_word) words.push_back(std::exchange(word, {}));
      in_word = false;
      continue;
    }
    in_word = true;
    if (c == escape) {
      if (at + 1 == text.size()) {
        if (quote) word += c;
        break;  // an escape with nothing behind it falls away
      }
      word += c;
      word += text[++at];
      continue;
    }
    if (quote ? c == quote : c == '"' || c == '\'') quote = quote ? 0 : c;
    word += c;
  }
  if (in_word) words.push_back(std::move(word));
  return words;
}

Result<std::optional<std::vector<std::string>>> parse_json_form(std::string_view text) {
  using List = std::optional<std::vector<std::string>>;
  text = trim(text);
  if (!text.starts_with('[')) return List();
  auto value = json::parse(text);
  if (!value.ok() || !value->is_array()) return List();
  std::vector<std::string> list;
  for (const json::Value& element : value->get_array()) {
    if (!element.is_string())
      return fail(Kind::InvalidArgument,
                  "when using JSON array syntax, arrays must be comprised of strings only");
    list.emplace_back(element.get_string());
  }
  return List(std::move(list));
}

std::vector<std::string> take_flags(std::string& text) {
  std::vector<std::string> flags;
  std::size_t at = 0;
  while (true) {
    while (at < text.size() && is_blank(text[at])) ++at;
    if (text.compare(at, 2, "--") != 0) break;
    std::string word = read_flag(text, at);
    if (word == "--") {
      while (at < text.size() && is_blank(text[at])) ++at;
      break;
    }
    flags.push_back(std::move(word));
  }
  text.erase(0, at);
  return flags;
}

Result<std::vector<NamedValue>> parse_pairs(std::string_view text, std::string_view instruction,
                                            char escape) {
  std::vector<NamedValue> pairs;
  const std::vector<std::string> words = split_words(text, escape);
  if (words.empty()) return pairs;
  if (words[0].find('=') == std::string::npos) {
    const auto end = std::find_if(text.begin(), text.end(), is_blank);
    const std::string_view value = trim(text.substr(static_cast<std::size_t>(end - text.begin())));
    if (value.empty()) return fail(Kind::InvalidArgument, "{} must have two arguments", instruction);
    pairs.push_back({std::string(text.begin(), end), std::string(value)});
    return pairs;
  }
  for (const std::string& word : words) {
    const auto [name, value] = cut(word, '=');
    if (!value)
      return fail(Kind::InvalidArgument, "Syntax error - can't find = in {}. Must be of the form: name=value",
                  quote(word));
    if (name.empty()) return fail(Kind::InvalidArgument, "{} names can not be blank", instruction);
    pairs.push_back({std::string(name), std::string(*value)});
  }
  return pairs;
}

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  std::string best;
  std::size_t best_distance = 3;
  for (const std::string& candidate : known) {
    const std::size_t distance = edit_distance(to_lower(word), to_lower(candidate));
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best_distance < 3 && best_distance < std::max<std::size_t>(word.size(), 1) ? best : "";
}

}  // namespace skiff::build
