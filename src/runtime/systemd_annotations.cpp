// Properties of a container's unit that its annotations name, as with runc.
#include <cstring>

#include "base/strings.h"
#include "runtime/systemd_unit.h"

namespace skiff::runtime {
namespace {

using sys::dbus::Typed;

constexpr std::string_view kPrefix = "org.systemd.property.";

Result<void> check_name(std::string_view name) {
  if (name.size() < 3) return Error(Kind::InvalidArgument, "too short");
  for (const char c : name)
    if ((c < 'A' || c > 'Z') && (c < 'a' || c > 'z'))
      return Error(Kind::InvalidArgument, "contains non-alphabetic character");
  return {};
}

template <typename T>
std::uint64_t times_a_million(std::string_view bytes) {
  T value{};
  std::memcpy(&value, bytes.data(), sizeof value);
  if constexpr (std::is_floating_point_v<T>)
    return value > 0 && value < 1e12 ? static_cast<std::uint64_t>(value * 1e6) : 0;
  else
    return static_cast<std::uint64_t>(value) * 1'000'000;
}

/// Seconds, as what systemd's documentation names in such, in the microseconds of its interface.
Result<std::uint64_t> microseconds(const Typed& value) {
  if (value.type.size() == 1) {
    const std::string_view bytes = value.elements.front();
    switch (value.type.front()) {
      case 'y':
        return times_a_million<std::uint8_t>(bytes);
      case 'n':
        return times_a_million<std::int16_t>(bytes);
      case 'q':
        return times_a_million<std::uint16_t>(bytes);
      case 'i':
        return times_a_million<std::int32_t>(bytes);
      case 'u':
        return times_a_million<std::uint32_t>(bytes);
      case 'x':
        return times_a_million<std::int64_t>(bytes);
      case 't':
        return times_a_million<std::uint64_t>(bytes);
      case 'd':
        return times_a_million<double>(bytes);
      default:
        break;
    }
  }
  return Error(Kind::InvalidArgument, "not a number");
}

/// "TimeoutStopSec" is "TimeoutStopUSec" to the manager; "Sec" alone, or after a capital, is a name of its
/// own.
bool counts_seconds(std::string_view name) {
  if (!name.ends_with("Sec") || name.size() == 3) return false;
  const char before = name[name.size() - 4];
  return before >= 'a' && before <= 'z';
}

}  // namespace

Result<sys::dbus::Properties> annotated_properties(const std::map<std::string, std::string>& annotations) {
  sys::dbus::Properties properties;
  for (auto entry = annotations.lower_bound(std::string(kPrefix)); entry != annotations.end(); ++entry) {
    const auto& key = entry->first;
    const auto& text = entry->second;
    if (!key.starts_with(kPrefix)) break;
    std::string name = key.substr(kPrefix.size());
    TRY_CONTEXT(check_name(name), "annotation {} name incorrect", key);
    const auto wrong = [&](const Error& error) {
      return error.with_context(fmt::format("annotation {}={} value parse error", key, text));
    };
    auto value = sys::dbus::parse_value(text);
    if (!value) return wrong(value.error());
    if (!counts_seconds(name)) {
      properties.push_back({std::move(name), *std::move(value)});
      continue;
    }
    const auto converted = microseconds(*value);
    if (!converted) return wrong(converted.error());
    properties.push_back({name.substr(0, name.size() - 3) + "USec", *converted});
  }
  return properties;
}

}  // namespace skiff::runtime
