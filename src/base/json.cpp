#include "base/json.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <cmath>

#include "base/strings.h"

namespace skiff::json {
namespace {

constexpr std::size_t kMaxDepth = 64;

std::string_view kind_name(const Value& value) {
  switch (value.kind()) {
    case boost::json::kind::null:
      return "null";
    case boost::json::kind::bool_:
      return "bool";
    case boost::json::kind::string:
      return "string";
    case boost::json::kind::array:
      return "array";
    case boost::json::kind::object:
      return "object";
    default:
      return "number";
  }
}

void pretty(const Value& value, std::string_view indent, std::size_t depth, std::string& out) {
  const auto new_line = [&](std::size_t level) {
    out += '\n';
    for (std::size_t i = 0; i < level; ++i) out += indent;
  };
  if (const Object* object = value.if_object(); object && !object->empty()) {
    out += '{';
    for (bool first = true; const auto& [name, element] : *object) {
      if (!std::exchange(first, false)) out += ',';
      new_line(depth + 1);
      out += boost::json::serialize(name) + ": ";
      pretty(element, indent, depth + 1, out);
    }
    new_line(depth);
    out += '}';
  } else if (const Array* array = value.if_array(); array && !array->empty()) {
    out += '[';
    for (bool first = true; const auto& element : *array) {
      if (!std::exchange(first, false)) out += ',';
      new_line(depth + 1);
      pretty(element, indent, depth + 1, out);
    }
    new_line(depth);
    out += ']';
  } else {
    out += to_text(value);
  }
}

}  // namespace

Fields::Scope::Scope(Fields& fields, std::string_view name)
    : path_(fields.state_.path), length_(path_.size()) {
  if (!path_.empty()) path_ += '.';
  path_ += name;
}
Fields::Scope::Scope(Fields& fields, std::size_t index) : path_(fields.state_.path), length_(path_.size()) {
  path_ += '[' + std::to_string(index) + ']';
}
Fields::Scope::~Scope() { path_.resize(length_); }

Value* Fields::find(std::string_view name) {
  if (Value* exact = object_.if_contains(name)) return exact;
  for (auto& [key, value] : object_)
    if (equals_ignore_case(std::string_view(key.data(), key.size()), name)) return &value;
  return nullptr;
}

void Fields::put(std::string_view name, Value value) { object_.insert_or_assign(name, std::move(value)); }

void Fields::reject(std::string_view wanted, const Value& found) {
  if (state_.error) return;
  state_.error = fail(Kind::InvalidArgument, "invalid JSON: {}: cannot use {} as {}",
                      state_.path.empty() ? "value" : state_.path, kind_name(found), wanted);
}

void Fields::read(Value& value, std::string& out) {
  if (value.is_null()) return;
  if (const auto* text = value.if_string())
    out.assign(text->data(), text->size());
  else
    reject("string", value);
}

void Fields::read(Value& value, bool& out) {
  if (value.is_null()) return;
  if (const bool* flag = value.if_bool())
    out = *flag;
  else
    reject("bool", value);
}

void Fields::read(Value& value, double& out) {
  if (value.is_null()) return;
  if (value.is_number())
    out = value.to_number<double>();
  else
    reject("number", value);
}

void Fields::read(Value& value, Time& out) {
  if (value.is_null()) return;
  const auto* text = value.if_string();
  const auto time = text ? parse_rfc3339(std::string_view(text->data(), text->size())) : std::nullopt;
  if (time)
    out = *time;
  else if (!text || !text->empty())
    reject("time", value);
}

std::optional<std::int64_t> Fields::read_signed(Value& value, std::int64_t low, std::int64_t high) {
  if (value.is_null()) return std::nullopt;
  boost::system::error_code code;
  const auto number = value.is_number() ? value.to_number<std::int64_t>(code) : 0;
  if (!value.is_number() || code || number < low || number > high) {
    reject("integer", value);
    return std::nullopt;
  }
  return number;
}

std::optional<std::uint64_t> Fields::read_unsigned(Value& value, std::uint64_t high) {
  if (value.is_null()) return std::nullopt;
  boost::system::error_code code;
  const auto number = value.is_number() ? value.to_number<std::uint64_t>(code) : 0;
  if (!value.is_number() || code || number > high) {
    reject("unsigned integer", value);
    return std::nullopt;
  }
  return number;
}

Value Fields::write(double in) {
  // Whole numbers are written without an exponent, as Go does.
  if (std::abs(in) < 1e15 && in == std::floor(in)) return Value(static_cast<std::int64_t>(in));
  return Value(in);
}

Result<Value> parse(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = kMaxDepth;
  boost::system::error_code code;
  Value value = boost::json::parse(text, code, {}, options);
  if (code) return fail(Kind::InvalidArgument, "invalid JSON: {}", code.message());
  return value;
}

std::string to_text(const Value& value) { return boost::json::serialize(value); }

std::string to_pretty_text(const Value& value, std::string_view indent) {
  std::string out;
  pretty(value, indent, 0, out);
  return out;
}

}  // namespace skiff::json
