#include "cli/template/parser.h"

#include <algorithm>
#include <charconv>

#include "base/strings.h"

namespace skiff::cli::templates {

namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Node> run() {
    Node root;
    const End end = TRY(list(root.body, 0));
    if (end != End::Eof)
      return error("unexpected {{" + std::string(end == End::Else ? "else" : "end") + "}}");
    return root;
  }

 private:
  enum class End { Eof, Else, End };

  Error error(std::string_view what) const {
    const auto upto = text_.substr(0, std::min(position_, text_.size()));
    const auto line = 1 + std::count(upto.begin(), upto.end(), '\n');
    return fail(Kind::InvalidArgument, "template: :{}: {}", line, what);
  }

  /// Text and actions up to the end, {{else}} or {{end}}; the rest of an {{else if}} is left standing.
  Result<End> list(std::vector<Node>& nodes, int depth) {
    if (depth > 100) return error("exceeded maximum depth");
    while (true) {
      const auto open = text_.find("{{", position_);
      std::string_view literal =
          text_.substr(position_, open == std::string_view::npos ? open : open - position_);
      if (trim_next_) {
        while (!literal.empty() && is_space(literal.front())) literal.remove_prefix(1);
        trim_next_ = false;
      }
      if (open != std::string_view::npos && open + 3 < text_.size() && text_[open + 2] == '-' &&
          is_space(text_[open + 3]))
        while (!literal.empty() && is_space(literal.back())) literal.remove_suffix(1);
      if (!literal.empty()) {
        Node node;
        node.kind = Node::Kind::Text;
        node.text = literal;
        nodes.push_back(std::move(node));
      }
      if (open == std::string_view::npos) {
        position_ = text_.size();
        return End::Eof;
      }
      position_ = open + 2;
      if (position_ + 1 < text_.size() && text_[position_] == '-' && is_space(text_[position_ + 1]))
        ++position_;
      if (const auto end = TRY(action(nodes, depth))) return *end;
    }
  }

  Result<std::optional<End>> action(std::vector<Node>& nodes, int depth) {
    skip_space();
    if (text_.substr(position_, 2) == "/*") {
      TRY(comment());
      return std::optional<End>();
    }
    const std::size_t start = position_;
    const std::string word = peek_word();
    if (word == "end" || word == "else") {
      position_ += word.size();
      if (word == "end") {
        TRY(close());
        return std::optional(End::End);
      }
      return std::optional(End::Else);
    }
    Node node;
    if (word == "if" || word == "with" || word == "range") {
      position_ += word.size();
      node.kind = word == "if" ? Node::Kind::If : word == "with" ? Node::Kind::With : Node::Kind::Range;
      TRY(block(node, depth));
    } else if (word == "break" || word == "continue") {
      position_ += word.size();
      node.kind = word == "break" ? Node::Kind::Break : Node::Kind::Continue;
      TRY(close());
    } else {
      position_ = start;
      node.kind = Node::Kind::Action;
      node.pipeline = TRY(pipeline(false));
      TRY(close());
      for (const auto& name : node.pipeline.variables)
        if (!node.pipeline.assigns) variables_.push_back(name);
    }
    nodes.push_back(std::move(node));
    return std::optional<End>();
  }

  /// What follows {{if, {{with and {{range, up to and with its {{end}}.
  Result<void> block(Node& node, int depth) {
    const std::size_t known = variables_.size();
    node.pipeline = TRY(pipeline(node.kind == Node::Kind::Range));
    TRY(close());
    for (const auto& name : node.pipeline.variables) variables_.push_back(name);
    End end = TRY(list(node.body, depth + 1));
    if (end == End::Else) {
      skip_space();
      const std::string word = peek_word();
      if (word == "if" || word == "with") {
        position_ += word.size();
        Node nested;
        nested.kind = word == "if" ? Node::Kind::If : Node::Kind::With;
        TRY(block(nested, depth + 1));
        node.otherwise.push_back(std::move(nested));
        variables_.resize(known);
        return {};
      }
      TRY(close());
      end = TRY(list(node.otherwise, depth + 1));
      if (end == End::Else) return error("expected end; found {{else}}");
    }
    if (end == End::Eof) return error("unexpected EOF");
    variables_.resize(known);
    return {};
  }

  Result<void> comment() {
    const auto end = text_.find("*/", position_);
    if (end == std::string_view::npos) return error("unclosed comment");
    position_ = end + 2;
    return close();
  }

  /// "}}" or " -}}".
  Result<void> close() {
    skip_space();
    const bool spaced = position_ > 0 && is_space(text_[position_ - 1]);
    if (spaced && text_.substr(position_, 3) == "-}}") {
      trim_next_ = true;
      position_ += 3;
      return {};
    }
    if (text_.substr(position_, 2) == "}}") {
      position_ += 2;
      return {};
    }
    if (position_ >= text_.size()) return error("unclosed action");
    return unexpected("command");
  }

  Error unexpected(std::string_view context) const {
    const char c = position_ < text_.size() ? text_[position_] : 0;
    if (!is_word(c) && std::string_view("()|\"`'.$,:=").find(c) == std::string_view::npos)
      return error(fmt::format("unexpected {} in {}", quote(std::string(1, c)), context));
    return error(fmt::format("unexpected {} in {}", quote(std::string(text_.substr(position_, 1))), context));
  }

  Result<Pipeline> pipeline(bool range) {
    Pipeline pipe;
    TRY(declarations(pipe, range));
    while (true) {
      Command command = TRY(this->command());
      if (command.empty())
        return error(pipe.commands.empty() ? "missing value for command" : "missing value for command");
      pipe.commands.push_back(std::move(command));
      skip_space();
      if (position_ >= text_.size() || text_[position_] != '|') return pipe;
      ++position_;
    }
  }

  /// "$x :=", "$x =" or, in a range, "$i, $e :=".
  Result<void> declarations(Pipeline& pipe, bool range) {
    skip_space();
    const std::size_t start = position_;
    std::vector<std::string> names;
    while (position_ < text_.size() && text_[position_] == '$') {
      ++position_;
      names.push_back("$" + peek_word());
      position_ += names.back().size() - 1;
      skip_space();
      if (range && names.size() == 1 && position_ < text_.size() && text_[position_] == ',') {
        ++position_;
        skip_space();
        continue;
      }
      break;
    }
    const bool declares = text_.substr(position_, 2) == ":=";
    const bool assigns = !declares && text_.substr(position_, 1) == "=";
    if (names.empty() || (!declares && !assigns)) {
      position_ = start;
      return {};
    }
    position_ += declares ? 2 : 1;
    pipe.variables = std::move(names);
    pipe.assigns = assigns;
    return {};
  }

  Result<Command> command() {
    Command command;
    while (true) {
      skip_space();
      if (position_ >= text_.size()) return error("unclosed action");
      const char c = text_[position_];
      if (c == '|' || c == ')' || text_.substr(position_, 2) == "}}") return command;
      if (text_.substr(position_, 3) == "-}}" && position_ > 0 && is_space(text_[position_ - 1]))
        return command;
      command.push_back(TRY(operand()));
    }
  }

  Result<Operand> operand() {
    const std::size_t start = position_;
    Operand word = TRY(term());
    if (word.kind != Operand::Kind::Literal)
      TRY(chain(word));
    else if (position_ < text_.size() && text_[position_] == '.')
      return unexpected("operand");
    word.text = text_.substr(start, position_ - start);
    return word;
  }

  Result<Operand> term() {
    Operand word;
    word.position = position_;
    const char c = text_[position_];
    if (c == '.') {
      if (position_ + 1 < text_.size() && is_digit(text_[position_ + 1])) return number();
      word.kind = Operand::Kind::Dot;
      if (position_ + 1 >= text_.size() || !is_word(text_[position_ + 1]))
        ++position_;
      else
        word.kind = Operand::Kind::Field;
    } else if (c == '$') {
      ++position_;
      word.kind = Operand::Kind::Variable;
      word.name = "$" + peek_word();
      position_ += word.name.size() - 1;
      if (word.name != "$" && std::find(variables_.begin(), variables_.end(), word.name) == variables_.end())
        return error(fmt::format("undefined variable {}", quote(word.name)));
    } else if (c == '(') {
      ++position_;
      word.kind = Operand::Kind::Parenthesis;
      word.pipeline = std::make_shared<Pipeline>(TRY(pipeline(false)));
      skip_space();
      if (position_ >= text_.size() || text_[position_] != ')') return error("unclosed left paren");
      ++position_;
    } else if (c == '"' || c == '`' || c == '\'') {
      return text_literal(c);
    } else if (is_digit(c) ||
               ((c == '-' || c == '+') && position_ + 1 < text_.size() && is_digit(text_[position_ + 1]))) {
      return number();
    } else if (is_word(c)) {
      return identifier();
    } else {
      return unexpected("command");
    }
    return word;
  }

  Result<Operand> identifier() {
    Operand word;
    word.position = position_;
    word.name = peek_word();
    position_ += word.name.size();
    word.kind = Operand::Kind::Literal;
    if (word.name == "true")
      word.literal = true;
    else if (word.name == "false")
      word.literal = false;
    else if (word.name == "nil")
      word.kind = Operand::Kind::Nil;
    else
      word.kind = Operand::Kind::Function;
    if (word.kind == Operand::Kind::Function && !is_function(word.name))
      return error(fmt::format("function {} not defined", quote(word.name)));
    return word;
  }

  Result<void> chain(Operand& word) {
    while (position_ + 1 < text_.size() && text_[position_] == '.' && is_word(text_[position_ + 1])) {
      word.position = position_;
      ++position_;
      word.fields.push_back(peek_word());
      position_ += word.fields.back().size();
    }
    return {};
  }

  Result<Operand> number() {
    Operand word;
    word.kind = Operand::Kind::Literal;
    word.position = position_;
    const std::size_t start = position_;
    if (text_[position_] == '-' || text_[position_] == '+') ++position_;
    while (position_ < text_.size() && (is_word(text_[position_]) || text_[position_] == '.')) ++position_;
    const std::string_view digits = text_.substr(start, position_ - start);
    if (const auto whole = parse_int(digits))
      word.literal = *whole;
    else if (const auto real = parse_double(digits))
      word.literal = *real;
    else
      return error(fmt::format("bad number syntax: {}", quote(digits)));
    return word;
  }

  Result<Operand> text_literal(char mark) {
    Operand word;
    word.kind = Operand::Kind::Literal;
    word.position = position_;
    std::string out;
    for (++position_; position_ < text_.size() && text_[position_] != mark; ++position_) {
      if (text_[position_] == '\n' && mark != '`') break;
      if (text_[position_] == '\\' && mark != '`')
        TRY(escape(out));
      else
        out += text_[position_];
    }
    if (position_ >= text_.size() || text_[position_] != mark)
      return error(mark == '`' ? "unterminated raw quoted string" : "unterminated quoted string");
    ++position_;
    if (mark == '\'')
      word.literal = out.empty() ? 0 : static_cast<unsigned char>(out[0]);
    else
      word.literal = out;
    return word;
  }

  Result<void> escape(std::string& out) {
    ++position_;
    const char c = position_ < text_.size() ? text_[position_] : 0;
    static constexpr std::string_view kFrom = "ntr\\\"'abfv";
    static constexpr std::string_view kTo = "\n\t\r\\\"'\a\b\f\v";
    if (const auto at = kFrom.find(c); c != 0 && at != std::string_view::npos) {
      out += kTo[at];
      return {};
    }
    if (c == 'x' && position_ + 2 < text_.size()) {
      int code = 0;
      const char* first = text_.data() + position_ + 1;
      if (std::from_chars(first, first + 2, code, 16).ptr == first + 2) {
        out += static_cast<char>(code);
        position_ += 2;
        return {};
      }
    }
    return error("invalid syntax");
  }

  void skip_space() {
    while (position_ < text_.size() && is_space(text_[position_])) ++position_;
  }

  std::string peek_word() const {
    std::size_t end = position_;
    while (end < text_.size() && is_word(text_[end])) ++end;
    return std::string(text_.substr(position_, end - position_));
  }

  std::string_view text_;
  std::size_t position_ = 0;
  bool trim_next_ = false;
  std::vector<std::string> variables_;
};

}  // namespace

Result<Node> parse(std::string_view text) { return Parser(text).run(); }

bool is_function(std::string_view name) {
  static constexpr std::string_view kNames[] = {"and",   "or",     "not",     "eq",    "ne",      "lt",
                                                "le",    "gt",     "ge",      "index", "slice",   "len",
                                                "print", "printf", "println", "json",  "join",    "split",
                                                "title", "lower",  "upper",   "pad",   "truncate"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

}  // namespace skiff::cli::templates
