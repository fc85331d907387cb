#include "build/frontend/scanner.h"

#include <optional>

#include "base/strings.h"

namespace skiff::build {
namespace {

constexpr std::string_view kSpaces = " \t\r\v\f";

std::string_view trim_left(std::string_view text) {
  const auto start = text.find_first_not_of(kSpaces);
  return start == std::string_view::npos ? std::string_view() : text.substr(start);
}

bool is_comment(std::string_view line) { return trim_left(line).starts_with('#'); }

/// `# name = value`; nothing when the line is an ordinary comment.
std::optional<std::pair<std::string, std::string>> directive_of(std::string_view line) {
  line = trim_left(line);
  if (!line.starts_with('#')) return std::nullopt;
  const auto [name, value] = cut(line.substr(1), '=');
  if (!value) return std::nullopt;
  const std::string key = to_lower(trim(name));
  if (key.empty() || key.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") != std::string::npos)
    return std::nullopt;
  const std::string_view text = trim(*value);
  if (text.empty()) return std::nullopt;
  return std::pair(key, std::string(text));
}

/// Takes a continuation mark off the end: escape, then only blanks; a doubled escape is a literal one.
bool take_continuation(std::string& line, char escape) {
  const auto end = line.find_last_not_of(kSpaces);
  if (end == std::string::npos || line[end] != escape) return false;
  if (end > 0 && line[end - 1] == escape) return false;
  line.resize(end);
  return true;
}

bool is_name_character(char c) {
  return c == '_' || c == '-' || c == '.' || isalnum(static_cast<unsigned char>(c));
}

struct Marker {
  Heredoc heredoc;
  bool strip_tabs = false;
};

/// The `<<NAME` words of one instruction line.
std::vector<Marker> heredoc_markers(std::string_view line) {
  std::vector<Marker> markers;
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote) {
      if (c == quote) quote = 0;
      continue;
    }
    if (c == '\'' || c == '"') quote = c;
    const bool at_word = i == 0 || kSpaces.find(line[i - 1]) != std::string_view::npos ||
                         isdigit(static_cast<unsigned char>(line[i - 1]));
    if (c != '<' || !at_word || line.substr(i, 2) != "<<" || line.substr(i, 3) == "<<<") continue;
    std::size_t at = i + 2;
    Marker marker;
    if (at < line.size() && line[at] == '-') {
      marker.strip_tabs = true;
      ++at;
    }
    char around = 0;
    if (at < line.size() && (line[at] == '\'' || line[at] == '"')) around = line[at++];
    const std::size_t start = at;
    while (at < line.size() && is_name_character(line[at])) ++at;
    marker.heredoc.name = line.substr(start, at - start);
    marker.heredoc.expand = around == 0;
    if (around) {
      if (at >= line.size() || line[at] != around) continue;
      ++at;
    }
    if (marker.heredoc.name.empty()) continue;
    i = at - 1;
    markers.push_back(std::move(marker));
  }
  return markers;
}

bool may_have_heredoc(std::string_view line) {
  line = trim_left(line);
  const std::string word = to_lower(line.substr(0, line.find_first_of(kSpaces)));
  return word == "run" || word == "copy" || word == "add";
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    while (!text.empty()) {
      const auto end = text.find('\n');
      std::string_view line = text.substr(0, end);
      if (line.ends_with('\r')) line.remove_suffix(1);
      lines_.push_back(line);
      text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    }
  }

  Result<Scan> run() {
    TRY(read_directives());
    while (next_ < lines_.size()) {
      const std::string_view line = trim_left(lines_[next_]);
      if (line.empty() || line[0] == '#') {
        ++next_;
        continue;
      }
      TRY(read_instruction());
    }
    return std::move(scan_);
  }

 private:
  Result<void> read_directives() {
    bool seen = false;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      const auto directive = directive_of(lines_[i]);
      if (!directive) return {};
      if (directive->first == "escape") {
        if (seen) return fail(Kind::InvalidArgument, "only one escape parser directive can be used");
        if (directive->second != "`" && directive->second != "\\")
          return fail(Kind::InvalidArgument, "invalid escape token '{}' does not match ` or \\",
                      directive->second);
        scan_.escape = directive->second[0];
        seen = true;
      } else if (directive->first != "syntax" && directive->first != "check") {
        return {};
      }
    }
    return {};
  }

  Result<void> read_instruction() {
    Line out;
    out.first = static_cast<int>(next_) + 1;
    out.text = trim_left(lines_[next_++]);
    bool more = take_continuation(out.text, scan_.escape);
    bool empty_line = false;
    while (more && next_ < lines_.size()) {
      const std::string_view raw = lines_[next_++];
      if (is_comment(raw)) continue;
      if (trim_left(raw).empty()) {
        empty_line = true;
        continue;
      }
      std::string piece(raw);
      more = take_continuation(piece, scan_.escape);
      out.text += piece;
    }
    out.text = trim(out.text);
    if (empty_line) {
      scan_.warnings.push_back("[WARNING]: Empty continuation line found in: " + out.text);
      scan_.warnings.push_back("[WARNING]: Empty continuation lines will become errors in a future release.");
    }
    if (may_have_heredoc(out.text)) TRY(read_heredocs(out));
    out.last = static_cast<int>(next_);
    if (!out.text.empty()) scan_.lines.push_back(std::move(out));
    return {};
  }

  Result<void> read_heredocs(Line& out) {
    for (Marker& marker : heredoc_markers(out.text)) {
      bool closed = false;
      while (next_ < lines_.size() && !closed) {
        std::string_view raw = lines_[next_++];
        if (marker.strip_tabs) raw.remove_prefix(std::min(raw.find_first_not_of('\t'), raw.size()));
        closed = raw == marker.heredoc.name;
        if (!closed) marker.heredoc.content.append(raw).append("\n");
      }
      if (!closed)
        return fail(Kind::InvalidArgument, "dockerfile parse error on line {}: unterminated heredoc",
                    out.first);
      out.heredocs.push_back(std::move(marker.heredoc));
    }
    return {};
  }

  std::vector<std::string_view> lines_;
  std::size_t next_ = 0;
  Scan scan_;
};

}  // namespace

Result<Scan> scan(std::string_view text) { return Scanner(text).run(); }

}  // namespace skiff::build
