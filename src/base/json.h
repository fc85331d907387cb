#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

/// JSON text to structs and back. A struct takes part by one free function that names its members; the
/// same function reads and writes:
///
///     struct Port { std::string type; std::uint16_t container = 0; };
///     void describe(json::Fields& f, Port& p) {
///       f("Type", p.type);
///       f("PrivatePort", p.container);
///       f("IP", p.ip, json::Omit::Empty);     // Go's omitempty
///     }
///     auto port = TRY(json::decode<Port>(text));
///     std::string text = json::encode(port);
///
/// Reading is as lenient as Go's encoding/json, because Docker's clients rely on it: unknown members are
/// passed over, missing ones and nulls leave the member as it is, member names match without regard to
/// case. A value of the wrong type is InvalidArgument and names its path. Write `describe` in a .cpp file.
namespace skiff::json {

using Value = boost::json::value;
using Object = boost::json::object;
using Array = boost::json::array;

enum class Omit : std::uint8_t {
  Never,
  Empty,  ///< not written when "", 0, false, an empty list or map, or an absent optional
};

class Fields;

template <typename T>
concept Described = std::is_class_v<T> && requires(Fields& f, T& t) {
  describe(f, t);
};

/// Reads or writes the members of one object; see above.
class Fields {
 public:
  enum class Mode : std::uint8_t { Read, Write };
  struct State;

  Fields(Mode mode, Object& object, State& state) : mode_(mode), object_(object), state_(state) {}

  bool reading() const { return mode_ == Mode::Read; }

  template <typename T>
  void operator()(std::string_view name, T& member, Omit omit = Omit::Never) {
    if (reading()) {
      if (Value* value = find(name)) {
        const Scope scope(*this, name);
        read(*value, member);
      }
    } else if (omit == Omit::Never || !is_empty(member)) {
      put(name, write(member));
    }
  }

  /// The object itself, for members whose shape no type can say.
  Object& object() { return object_; }
  /// Reports what is wrong with the member being read; the first report wins.
  void reject(std::string_view wanted, const Value& found);

 private:
  class Scope {
   public:
    Scope(Fields& fields, std::string_view name);
    Scope(Fields& fields, std::size_t index);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    std::string& path_;
    std::size_t length_;
  };

  Value* find(std::string_view name);
  void put(std::string_view name, Value value);

  void read(Value& value, std::string& out);
  void read(Value& value, bool& out);
  void read(Value& value, double& out);
  void read(Value& value, Value& out) { out = std::move(value); }
  void read(Value& value, Time& out);
  std::optional<std::int64_t> read_signed(Value& value, std::int64_t low, std::int64_t high);
  std::optional<std::uint64_t> read_unsigned(Value& value, std::uint64_t high);

  template <std::integral T>
  void read(Value& value, T& out) {
    if constexpr (std::is_signed_v<T>) {
      if (const auto n = read_signed(value, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()))
        out = static_cast<T>(*n);
    } else if (const auto n = read_unsigned(value, std::numeric_limits<T>::max())) {
      out = static_cast<T>(*n);
    }
  }
  template <typename T>
  void read(Value& value, std::optional<T>& out) {
    if (value.is_null()) return;
    read(value, out.emplace());
  }
  template <typename T>
  void read(Value& value, std::vector<T>& out) {
    if (value.is_null()) return;
    Array* array = value.if_array();
    if (!array) return reject("array", value);
    out.clear();
    for (std::size_t i = 0; i < array->size(); ++i) {
      const Scope scope(*this, i);
      read((*array)[i], out.emplace_back());
    }
  }
  template <typename T>
  void read(Value& value, std::map<std::string, T>& out) {
    if (value.is_null()) return;
    Object* object = value.if_object();
    if (!object) return reject("object", value);
    out.clear();
    for (auto& [name, element] : *object) {
      const Scope scope(*this, std::string_view(name.data(), name.size()));
      read(element, out[std::string(name)]);
    }
  }
  template <Described T>
  void read(Value& value, T& out) {
    if (value.is_null()) return;
    Object* object = value.if_object();
    if (!object) return reject("object", value);
    Fields nested(mode_, *object, state_);
    describe(nested, out);
  }

  static Value write(const std::string& in) { return Value(in); }
  static Value write(bool in) { return Value(in); }
  static Value write(double in);
  static Value write(const Value& in) { return in; }
  static Value write(Time in) { return Value(format_rfc3339(in)); }
  template <std::integral T>
  static Value write(T in) {
    return Value(in);
  }
  template <typename T>
  Value write(std::optional<T>& in) {
    return in ? write(*in) : Value(nullptr);
  }
  template <typename T>
  Value write(std::vector<T>& in) {
    Array array;
    array.reserve(in.size());
    for (auto&& element : in) {
      if constexpr (std::is_same_v<T, bool>)
        array.push_back(Value(static_cast<bool>(element)));
      else
        array.push_back(write(element));
    }
    return array;
  }
  template <typename T>
  Value write(std::map<std::string, T>& in) {
    Object object;
    object.reserve(in.size());
    for (auto& [name, element] : in) object.emplace(name, write(element));
    return object;
  }
  template <Described T>
  Value write(T& in) {
    Object object;
    Fields nested(mode_, object, state_);
    describe(nested, in);
    return object;
  }

  static bool is_empty(const std::string& value) { return value.empty(); }
  static bool is_empty(const Value& value) { return value.is_null(); }
  static bool is_empty(Time value) { return value == Time{}; }
  template <typename T>
  requires std::is_arithmetic_v<T>
  static bool is_empty(T value) { return value == T{}; }
  template <typename T>
  static bool is_empty(const std::optional<T>& value) {
    return !value.has_value();
  }
  template <typename T>
  static bool is_empty(const std::vector<T>& value) {
    return value.empty();
  }
  template <typename T>
  static bool is_empty(const std::map<std::string, T>& value) {
    return value.empty();
  }
  template <Described T>
  static bool is_empty(const T&) {
    return false;
  }

  Mode mode_;
  Object& object_;
  State& state_;
};

/// The path of the member being read and what went wrong first.
struct Fields::State {
  std::string path;
  std::optional<Error> error;
};

/// Parses one JSON text; trailing white space is fine, anything else after it is InvalidArgument, as are
/// more than 64 levels of nesting.
Result<Value> parse(std::string_view text);
/// Compact text.
std::string to_text(const Value& value);
/// Indented text, as Go's MarshalIndent(value, "", indent).
std::string to_pretty_text(const Value& value, std::string_view indent = "    ");

/// Fills `out` from the object `value`, which is used up.
template <Described T>
Result<void> decode_into(Value value, T& out) {
  Fields::State state;
  Object* object = value.if_object();
  if (!object) return Error(Kind::InvalidArgument, "invalid JSON: an object is wanted");
  Fields fields(Fields::Mode::Read, *object, state);
  describe(fields, out);
  if (state.error) return *std::move(state.error);
  return {};
}

template <Described T>
Result<T> from_value(Value value) {
  T out{};
  TRY(decode_into(std::move(value), out));
  return out;
}

template <Described T>
Result<T> decode(std::string_view text) {
  return from_value<T>(TRY(parse(text)));
}

/// `describe` takes a mutable reference because it also reads; writing leaves `in` as it is.
template <Described T>
Value to_value(const T& in) {
  Fields::State state;
  Object object;
  Fields fields(Fields::Mode::Write, object, state);
  describe(fields, const_cast<T&>(in));
  return object;
}

template <Described T>
std::string encode(const T& in) {
  return to_text(to_value(in));
}

}  // namespace skiff::json
