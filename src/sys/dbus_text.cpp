// Values in GVariant's text form, of basic types and arrays of those.
#include <charconv>
#include <limits>

#include "base/strings.h"
#include "sys/dbus.h"

namespace skiff::sys::dbus {
namespace {

constexpr std::pair<std::string_view, char> kTypeWords[] = {
    {"boolean", 'b'}, {"byte", 'y'},   {"int16", 'n'},      {"uint16", 'q'},
    {"int32", 'i'},   {"uint32", 'u'}, {"int64", 'x'},      {"uint64", 't'},
    {"double", 'd'},  {"string", 's'}, {"objectpath", 'o'}, {"signature", 'g'}};
constexpr std::string_view kBasic = "bynqiuxtdsog";

std::optional<char> type_named(std::string_view word) {
  for (const auto& [name, type] : kTypeWords)
    if (word == name) return type;
  return std::nullopt;
}

/// A word of the text: what stands between quotes, a number or true and false, and what it can be.
struct Scalar {
  enum class Kind : std::uint8_t { Word, Number, Text } kind;
  std::string text;
  char type = 0;  ///< as written before it
};

template <typename T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

/// Also hexadecimal, "0x1f".
template <typename T>
std::optional<std::string> whole_number(std::string_view text) {
  const bool minus = text.starts_with('-');
  auto digits = text.substr(minus ? 1 : 0);
  const bool hexadecimal = digits.starts_with("0x");
  if (hexadecimal) digits.remove_prefix(2);
  std::uint64_t value = 0;
  const auto* end = digits.data() + digits.size();
  const auto [stopped, code] = std::from_chars(digits.data(), end, value, hexadecimal ? 16 : 10);
  if (code != std::errc() || stopped != end) return std::nullopt;
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<T>::max());
  if (!minus) return value <= kMost ? std::optional(raw(static_cast<T>(value))) : std::nullopt;
  if (std::is_unsigned_v<T> || value > kMost + 1) return std::nullopt;
  return raw(static_cast<T>(0 - value));
}

std::optional<std::string> number_as(char type, std::string_view text) {
  switch (type) {
    case 'y':
      return whole_number<std::uint8_t>(text);
    case 'n':
      return whole_number<std::int16_t>(text);
    case 'q':
      return whole_number<std::uint16_t>(text);
    case 'i':
      return whole_number<std::int32_t>(text);
    case 'u':
      return whole_number<std::uint32_t>(text);
    case 'x':
      return whole_number<std::int64_t>(text);
    case 't':
      return whole_number<std::uint64_t>(text);
    case 'd':
      if (const auto value = parse_double(text)) return raw(*value);
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

/// The bytes of `scalar` as a value of `type`; nothing when it is not one.
std::optional<std::string> encode(const Scalar& scalar, char type) {
  switch (scalar.kind) {
    case Scalar::Kind::Word:
      if (type != 'b' || (scalar.text != "true" && scalar.text != "false")) return std::nullopt;
      return raw(std::uint32_t{scalar.text == "true"});
    case Scalar::Kind::Number:
      return number_as(type, scalar.text);
    case Scalar::Kind::Text:
      if (type == 's' || type == 'o')
        return raw(static_cast<std::uint32_t>(scalar.text.size())) + scalar.text + '\0';
      if (type == 'g' && scalar.text.size() < 256)
        return raw(static_cast<std::uint8_t>(scalar.text.size())) + scalar.text + '\0';
      return std::nullopt;
  }
  return std::nullopt;
}

/// What a value is when nothing says so.
char usual_type(const Scalar& scalar) {
  if (scalar.kind == Scalar::Kind::Text) return 's';
  if (scalar.kind == Scalar::Kind::Word) return 'b';
  return scalar.text.starts_with("0x") || scalar.text.find_first_of(".eE") == std::string::npos ? 'i' : 'd';
}

class TextReader {
 public:
  explicit TextReader(std::string_view text) : rest_(text) {}

  Result<Typed> value();

 private:
  Result<Scalar> scalar(bool typed = false);
  Result<std::vector<Scalar>> list();
  Result<std::string> quoted();
  Result<std::string> given_type();
  std::string_view word();
  bool next_is(char c) {
    rest_ = trim(rest_);
    return rest_.starts_with(c);
  }
  Error unexpected() const {
    return rest_.empty() ? Error(Kind::InvalidArgument, "the value is not whole")
                         : Error(Kind::InvalidArgument, fmt::format("{} is not a value", quote(rest_)));
  }

  std::string_view rest_;
};

std::string_view TextReader::word() {
  rest_ = trim(rest_);
  const auto taken = rest_.substr(0, rest_.find_first_of(" \t\n,]['\""));
  rest_.remove_prefix(taken.size());
  return taken;
}

Result<std::string> TextReader::quoted() {
  const char mark = rest_.front();
  std::string text;
  for (std::size_t i = 1; i < rest_.size(); ++i) {
    if (rest_[i] == mark) {
      rest_.remove_prefix(i + 1);
      return text;
    }
    if (rest_[i] == '\0') break;
    if (rest_[i] != '\\' || i + 1 == rest_.size()) {
      text += rest_[i];
      continue;
    }
    constexpr std::string_view kNames = "abfnrtv";
    constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v";
    const auto known = kNames.find(rest_[++i]);
    text += known == std::string_view::npos ? rest_[i] : kMeanings[known];
  }
  return Error(Kind::InvalidArgument, "a text does not end");
}

Result<Scalar> TextReader::scalar(bool typed) {
  Scalar scalar;
  if (next_is('\'') || next_is('"')) {
    scalar = {.kind = Scalar::Kind::Text, .text = TRY(quoted())};
    return scalar;
  }
  const auto text = word();
  if (const auto type = type_named(text)) {
    if (typed) return fail(Kind::InvalidArgument, "{} is a second type", quote(text));
    scalar = TRY(this->scalar(true));
    scalar.type = *type;
    return scalar;
  }
  if (text.empty()) return unexpected();
  const bool flag = text == "true" || text == "false";
  scalar = {.kind = flag ? Scalar::Kind::Word : Scalar::Kind::Number, .text = std::string(text)};
  if (!flag && !number_as('d', text) && !number_as('t', text))
    return fail(Kind::InvalidArgument, "{} is not a value", quote(text));
  return scalar;
}

Result<std::vector<Scalar>> TextReader::list() {
  std::vector<Scalar> elements;
  rest_.remove_prefix(1);
  while (!next_is(']')) {
    if (!elements.empty()) {
      if (!next_is(',')) return unexpected();
      rest_.remove_prefix(1);
    }
    elements.push_back(TRY(scalar()));
  }
  rest_.remove_prefix(1);
  return elements;
}

/// "@t", "@as".
Result<std::string> TextReader::given_type() {
  rest_.remove_prefix(1);
  const std::string type(word());
  const bool array = type.starts_with('a');
  if (type.size() != (array ? 2 : 1) || kBasic.find(type.back()) == std::string_view::npos)
    return fail(Kind::Unsupported, "the type {} is neither a basic one nor an array of such", quote(type));
  return type;
}

Result<Typed> TextReader::value() {
  Typed result;
  if (next_is('@')) result.type = TRY(given_type());
  const bool array = next_is('[');
  std::vector<Scalar> elements;
  if (array)
    elements = TRY(list());
  else
    elements.push_back(TRY(scalar()));
  rest_ = trim(rest_);
  if (!rest_.empty()) return unexpected();
  if (result.type.empty()) {
    if (elements.empty()) return Error(Kind::InvalidArgument, "an empty array needs its type: @as []");
    char type = usual_type(elements.front());
    for (const auto& element : elements)
      if (element.type != 0) type = element.type;
    result.type = array ? std::string("a") + type : std::string(1, type);
  }
  if (array != result.type.starts_with('a'))
    return fail(Kind::InvalidArgument, "the value is not of type {}", quote(result.type));
  for (const auto& element : elements) {
    auto bytes = encode(element, result.type.back());
    if (!bytes || (element.type != 0 && element.type != result.type.back()))
      return fail(Kind::InvalidArgument, "{} is not of type {}", quote(element.text),
                  quote(std::string_view(result.type).substr(array ? 1 : 0)));
    result.elements.push_back(*std::move(bytes));
  }
  return result;
}

}  // namespace

Result<Typed> parse_value(std::string_view text) { return TextReader(text).value(); }

}  // namespace skiff::sys::dbus
