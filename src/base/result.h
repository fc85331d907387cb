#pragma once

#include <cassert>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/error.h"

namespace skiff {

/// A value of type T or the Error that stood in its way. It cannot be ignored, and reads straight with
/// TRY. Why not std::expected: clang 14, which lints and fuzzes this code, cannot compile GCC 12's
/// (docs/decisions/0002-result.md).
template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(*-explicit-*)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(*-explicit-*)

  /// Lets a Result<unique_ptr<Derived>> or any convertible value be returned as it is.
  template <typename U>
  requires(std::is_convertible_v<U&&, T> && !std::is_same_v<std::remove_cvref_t<U>, T> &&
           !std::is_same_v<std::remove_cvref_t<U>, Error> && !std::is_same_v<std::remove_cvref_t<U>, Result>)
      Result(U&& value)  // NOLINT(*-explicit-*)
      : state_(std::in_place_index<0>, std::forward<U>(value)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & { return *check(std::get_if<0>(&state_)); }
  const T& value() const& { return *check(std::get_if<0>(&state_)); }
  T&& value() && { return std::move(*check(std::get_if<0>(&state_))); }
  T value_or(T other) && { return ok() ? std::move(*this).value() : std::move(other); }

  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& { return *check(std::get_if<1>(&state_)); }
  Error&& error() && { return std::move(*check(std::get_if<1>(&state_))); }

 private:
  template <typename P>
  static P* check(P* pointer) {
    assert(pointer && "Result: wrong side taken");
    return pointer;
  }

  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(*-explicit-*)

  bool ok() const { return !error_; }
  explicit operator bool() const { return ok(); }
  void value() const { assert(ok()); }

  const Error& error() const& { return *error_; }
  Error&& error() && { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

/// A Result that is a value of no interest.
inline Result<void> success() { return {}; }

}  // namespace skiff

#define SKIFF_CONCAT_(a, b) a##b
#define SKIFF_CONCAT(a, b) SKIFF_CONCAT_(a, b)

/// Takes the value out of a Result, or returns its error from the enclosing function:
///     auto fd = TRY(open_file(path));
///     TRY(write_all(fd, bytes));
/// Never in code that runs after fork or clone in the child: it would return into the parent's code.
/// It is a GNU statement expression, which GCC and Clang share, so that it stays an expression.
#define TRY(...) SKIFF_TRY_(SKIFF_CONCAT(skiff_result_, __COUNTER__), __VA_ARGS__)
#define SKIFF_TRY_(result, ...)                                                    \
  ({                                                                               \
    auto result = (__VA_ARGS__);                                                   \
    if (!result.ok()) return std::move(result).error();                            \
    static_cast<typename decltype(result)::value_type>(std::move(result).value()); \
  })

/// TRY with "<context>: " put in front of the error's message; the rest is a format string.
#define TRY_CONTEXT(expression, ...) \
  SKIFF_TRY_CONTEXT_(SKIFF_CONCAT(skiff_result_, __COUNTER__), expression, __VA_ARGS__)
#define SKIFF_TRY_CONTEXT_(result, expression, ...)                                 \
  ({                                                                                \
    auto result = (expression);                                                     \
    if (!result.ok()) return result.error().with_context(fmt::format(__VA_ARGS__)); \
    static_cast<typename decltype(result)::value_type>(std::move(result).value());  \
  })
