#include "cli/template/functions.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/strings.h"

namespace skiff::cli::templates {

const json::Value& Item::value() const {
  static const json::Value kNull;
  return value_ ? *value_ : kNull;
}

bool is_true(const Item& item) {
  if (item.missing()) return false;
  const json::Value& value = item.value();
  switch (value.kind()) {
    case boost::json::kind::null:
      return false;
    case boost::json::kind::bool_:
      return value.get_bool();
    case boost::json::kind::int64:
      return value.get_int64() != 0;
    case boost::json::kind::uint64:
      return value.get_uint64() != 0;
    case boost::json::kind::double_:
      return value.get_double() != 0;
    case boost::json::kind::string:
      return !value.get_string().empty();
    case boost::json::kind::array:
      return !value.get_array().empty();
    case boost::json::kind::object:
      return !value.get_object().empty();
  }
  return false;
}

namespace {

std::string_view view(const boost::json::string& text) { return {text.data(), text.size()}; }

std::string real_text(double number) {
  char buffer[400];
  const double size = std::fabs(number);
  const bool scientific = size != 0 && (size < 1e-4 || size >= 1e21);
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, number,
                                 scientific ? std::chars_format::scientific : std::chars_format::fixed);
  return {buffer, end.ptr};
}

std::vector<std::string> sorted_keys(const json::Object& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object) keys.emplace_back(key);
  std::sort(keys.begin(), keys.end());
  return keys;
}

}  // namespace

std::string to_plain_text(const json::Value& value) {
  switch (value.kind()) {
    case boost::json::kind::null:
      return "<nil>";
    case boost::json::kind::bool_:
      return value.get_bool() ? "true" : "false";
    case boost::json::kind::int64:
      return std::to_string(value.get_int64());
    case boost::json::kind::uint64:
      return std::to_string(value.get_uint64());
    case boost::json::kind::double_:
      return real_text(value.get_double());
    case boost::json::kind::string:
      return std::string(view(value.get_string()));
    case boost::json::kind::array: {
      std::string out = "[";
      for (const auto& element : value.get_array()) {
        if (out.size() > 1) out += ' ';
        out += to_plain_text(element);
      }
      return out + "]";
    }
    case boost::json::kind::object: {
      std::string out = "map[";
      for (const auto& key : sorted_keys(value.get_object())) {
        if (out.size() > 4) out += ' ';
        out += key + ":" + to_plain_text(value.get_object().at(key));
      }
      return out + "]";
    }
  }
  return {};
}

std::string to_plain_text(const Item& item) {
  return item.missing() ? "<no value>" : to_plain_text(item.value());
}

namespace {

using Arguments = std::vector<Item>;

Error wrong_count(std::string_view name, std::size_t wanted, std::size_t found) {
  return fail(Kind::InvalidArgument, "wrong number of args for {}: want {} got {}", name, wanted, found);
}

Error calling(std::string_view name, std::string_view what) {
  return fail(Kind::InvalidArgument, "error calling {}: {}", name, what);
}

bool is_number(const json::Value& value) {
  return value.is_int64() || value.is_uint64() || value.is_double();
}

double as_real(const json::Value& value) {
  return value.is_double()  ? value.get_double()
         : value.is_int64() ? static_cast<double>(value.get_int64())
                            : static_cast<double>(value.get_uint64());
}

/// -1, 0 or 1; nothing when the two cannot be compared.
std::optional<int> compare(const json::Value& a, const json::Value& b) {
  if (a.is_string() && b.is_string()) {
    const int order = view(a.get_string()).compare(view(b.get_string()));
    return order < 0 ? -1 : order > 0 ? 1 : 0;
  }
  if (a.is_bool() && b.is_bool()) return a.get_bool() == b.get_bool() ? 0 : 1;
  if (a.is_int64() && b.is_int64())
    return a.get_int64() < b.get_int64() ? -1 : a.get_int64() > b.get_int64() ? 1 : 0;
  if (is_number(a) && is_number(b)) return as_real(a) < as_real(b) ? -1 : as_real(a) > as_real(b) ? 1 : 0;
  if (a.is_null() || b.is_null()) return a.is_null() && b.is_null() ? 0 : 1;
  return std::nullopt;
}

Result<Item> comparison(std::string_view name, const Arguments& arguments) {
  if (arguments.size() < 2) return calling(name, "missing argument for comparison");
  const auto order_of = [&](std::size_t i) { return compare(arguments[0].value(), arguments[i].value()); };
  if (name == "eq") {
    for (std::size_t i = 1; i < arguments.size(); ++i) {
      const auto order = order_of(i);
      if (!order) return calling(name, "incompatible types for comparison");
      if (*order == 0) return Item::make(true);
    }
    return Item::make(false);
  }
  if (arguments.size() != 2) return wrong_count(name, 2, arguments.size());
  const auto order = order_of(1);
  if (!order) return calling(name, "incompatible types for comparison");
  if (name == "ne") return Item::make(*order != 0);
  if (name == "lt") return Item::make(*order < 0);
  if (name == "le") return Item::make(*order <= 0);
  if (name == "gt") return Item::make(*order > 0);
  return Item::make(*order >= 0);
}

Result<Item> index(const Arguments& arguments) {
  if (arguments.empty()) return wrong_count("index", 1, 0);
  Item item = arguments[0];
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const json::Value& key = arguments[i].value();
    const json::Value& from = item.value();
    if (from.is_object()) {
      if (!key.is_string()) return calling("index", fmt::format("value has type int; should be string"));
      const json::Value* found = from.get_object().if_contains(key.get_string());
      if (!found) return Item::make("");
      item = item.inside(*found);
    } else if (from.is_array()) {
      if (!key.is_int64()) return calling("index", "cannot index slice/array with type string");
      const auto at = key.get_int64();
      if (at < 0 || static_cast<std::size_t>(at) >= from.get_array().size())
        return calling("index", fmt::format("index out of range: {}", at));
      item = item.inside(from.get_array()[static_cast<std::size_t>(at)]);
    } else if (from.is_null()) {
      if (key.is_string()) return Item::make("");
      return calling("index", "index of untyped nil");
    } else {
      return calling("index", "can't index item of type string");
    }
  }
  return item;
}

Result<Item> slice(const Arguments& arguments) {
  if (arguments.empty()) return wrong_count("slice", 1, 0);
  const json::Value& from = arguments[0].value();
  const auto size = from.is_string()  ? from.get_string().size()
                    : from.is_array() ? from.get_array().size()
                                      : 0;
  std::size_t bounds[2] = {0, size};
  for (std::size_t i = 1; i < arguments.size() && i < 3; ++i) {
    const json::Value& bound = arguments[i].value();
    if (!bound.is_int64() || bound.get_int64() < 0 || static_cast<std::size_t>(bound.get_int64()) > size)
      return calling("slice", fmt::format("index out of range: {}", to_plain_text(bound)));
    bounds[i - 1] = static_cast<std::size_t>(bound.get_int64());
  }
  if (bounds[0] > bounds[1])
    return calling("slice", fmt::format("invalid slice index: {} > {}", bounds[0], bounds[1]));
  if (from.is_string())
    return Item::make(json::Value(view(from.get_string()).substr(bounds[0], bounds[1] - bounds[0])));
  if (!from.is_array()) return calling("slice", "can't slice item");
  json::Array out;
  for (auto i = bounds[0]; i < bounds[1]; ++i) out.push_back(from.get_array()[i]);
  return Item::make(std::move(out));
}

Result<Item> length(const Arguments& arguments) {
  if (arguments.size() != 1) return wrong_count("len", 1, arguments.size());
  const json::Value& value = arguments[0].value();
  if (value.is_string()) return Item::make(static_cast<std::int64_t>(value.get_string().size()));
  if (value.is_array()) return Item::make(static_cast<std::int64_t>(value.get_array().size()));
  if (value.is_object()) return Item::make(static_cast<std::int64_t>(value.get_object().size()));
  if (value.is_null()) return Item::make(std::int64_t{0});
  return calling("len", "len of type int");
}

/// fmt.Print puts spaces between two operands when neither is text; Println always.
std::string print(const Arguments& arguments, bool line) {
  std::string out;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const bool texts = i > 0 && (arguments[i].value().is_string() || arguments[i - 1].value().is_string());
    if (i > 0 && (line || !texts)) out += ' ';
    out += to_plain_text(arguments[i]);
  }
  return line ? out + "\n" : out;
}

/// One verb of printf applied to a value.
std::string format_verb(char verb, std::optional<int> precision, const Item& item) {
  const json::Value& value = item.value();
  switch (verb) {
    case 'v':
      return to_plain_text(item);
    case 's': {
      std::string text = to_plain_text(item);
      if (is_number(value)) return fmt::format("%!s(int={})", text);
      return precision ? text.substr(0, static_cast<std::size_t>(*precision)) : text;
    }
    case 'q':
      return quote(to_plain_text(item));
    case 'd':
      return is_number(value) ? to_plain_text(item) : fmt::format("%!d(string={})", to_plain_text(item));
    case 't':
      return to_plain_text(item);
    case 'x':
      return value.is_int64() ? fmt::format("{:x}", value.get_int64()) : to_hex(to_plain_text(item));
    case 'f':
    case 'e':
    case 'g': {
      if (!is_number(value)) return fmt::format("%!{}(string={})", verb, to_plain_text(item));
      const double number = as_real(value);
      if (verb == 'f') return fmt::format("{:.{}f}", number, precision.value_or(6));
      if (verb == 'e') return fmt::format("{:.{}e}", number, precision.value_or(6));
      return real_text(number);
    }
    default:
      return fmt::format("%!{}({})", verb, to_plain_text(item));
  }
}

std::string pad_field(std::string text, int width, bool left, bool zero) {
  const auto missing = width - static_cast<int>(text.size());
  if (missing <= 0) return text;
  if (left) return text + std::string(static_cast<std::size_t>(missing), ' ');
  if (zero && !text.empty() && text[0] == '-')
    return "-" + std::string(static_cast<std::size_t>(missing), '0') + text.substr(1);
  return std::string(static_cast<std::size_t>(missing), zero ? '0' : ' ') + text;
}

std::string print_formatted(std::string_view format, const Arguments& arguments) {
  std::string out;
  std::size_t next = 1;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      out += format[i];
      continue;
    }
    bool left = false, zero = false;
    for (++i; i < format.size() && std::string_view("-0+# ").find(format[i]) != std::string_view::npos; ++i) {
      left |= format[i] == '-';
      zero |= format[i] == '0';
    }
    int width = 0;
    for (; i < format.size() && format[i] >= '0' && format[i] <= '9' && width < 10000; ++i)
      width = width * 10 + (format[i] - '0');
    std::optional<int> precision;
    if (i < format.size() && format[i] == '.') {
      precision = 0;
      for (++i; i < format.size() && format[i] >= '0' && format[i] <= '9' && *precision < 100; ++i)
        precision = *precision * 10 + (format[i] - '0');
    }
    if (i >= format.size()) return out + "%!(NOVERB)";
    if (format[i] == '%')
      out += '%';
    else if (next >= arguments.size())
      out += fmt::format("%!{}(MISSING)", format[i]);
    else
      out += pad_field(format_verb(format[i], precision, arguments[next++]), width, left, zero);
  }
  return out;
}

std::string title(std::string text) {
  bool start = true;
  for (char& c : text) {
    if (start && c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    start = c == ' ' || c == '\t' || c == '\n';
  }
  return text;
}

std::string join_list(const json::Value& list, std::string_view separator) {
  std::vector<std::string> parts;
  if (list.is_array())
    for (const auto& element : list.get_array()) parts.push_back(to_plain_text(element));
  return join(parts, separator);
}

Item split_text(const std::string& text, const std::string& separator) {
  json::Array out;
  std::size_t start = 0;
  while (!separator.empty()) {
    const auto at = text.find(separator, start);
    if (at == std::string::npos) break;
    out.push_back(json::Value(text.substr(start, at - start)));
    start = at + separator.size();
  }
  out.push_back(json::Value(text.substr(start)));
  return Item::make(std::move(out));
}

Result<Item> docker_function(std::string_view name, const Arguments& arguments) {
  const std::size_t wanted = name == "join" || name == "split" || name == "truncate" ? 2
                             : name == "pad"                                         ? 3
                                                                                     : 1;
  if (arguments.size() != wanted) return wrong_count(name, wanted, arguments.size());
  const json::Value& first = arguments[0].value();
  if (name == "json") return Item::make(json::Value(json::to_text(first)));
  if (name == "join") {
    if (!first.is_array() && !first.is_null())
      return calling(name, "wrong type for value; expected []string");
    return Item::make(json::Value(join_list(first, to_plain_text(arguments[1]))));
  }
  const std::string text = to_plain_text(arguments[0]);
  if (!first.is_string()) {
    const std::string_view found = is_number(first) ? "int" : first.is_bool() ? "bool" : "interface {}";
    return fail(Kind::InvalidArgument, "wrong type for value; expected string; got {}", found);
  }
  if (name == "lower") return Item::make(json::Value(to_lower(text)));
  if (name == "upper") return Item::make(json::Value(to_upper(text)));
  if (name == "title") return Item::make(json::Value(title(text)));
  if (name == "split") return split_text(text, to_plain_text(arguments[1]));
  const auto number = [&](std::size_t i) -> std::size_t {
    const json::Value& value = arguments[i].value();
    return value.is_int64() && value.get_int64() > 0
               ? static_cast<std::size_t>(std::min<std::int64_t>(value.get_int64(), 1 << 20))
               : 0;
  };
  if (name == "truncate") return Item::make(json::Value(text.substr(0, number(1))));
  return Item::make(
      json::Value(text.empty() ? text : std::string(number(1), ' ') + text + std::string(number(2), ' ')));
}

}  // namespace

Result<Item> call_function(std::string_view name, const Arguments& arguments, bool header) {
  if (name == "not") {
    if (arguments.size() != 1) return wrong_count(name, 1, arguments.size());
    return Item::make(!is_true(arguments[0]));
  }
  if (name == "index") return index(arguments);
  if (name == "slice") return slice(arguments);
  if (name == "len") return length(arguments);
  if (name == "print" || name == "println")
    return Item::make(json::Value(print(arguments, name == "println")));
  if (name == "printf") {
    if (arguments.empty()) return wrong_count(name, 1, 0);
    return Item::make(json::Value(print_formatted(to_plain_text(arguments[0]), arguments)));
  }
  for (const std::string_view order : {"eq", "ne", "lt", "le", "gt", "ge"})
    if (name == order) return comparison(name, arguments);
  if (header) return arguments.empty() ? Item() : arguments[0];
  return docker_function(name, arguments);
}

}  // namespace skiff::cli::templates
