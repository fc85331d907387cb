#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sys/dbus.h"

/// Bytes of somebody at the other end of a bus, and values out of a configuration's annotations: what is
/// taken as a value must have the length on the wire that its type says, as a message's body.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skiff::sys::dbus;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::size_t used = 0;
  if (const auto message = decode(text, used); message.ok() && *message) {
    if (used > size) std::abort();
    (void)(*message)->reader().text();
    (void)to_error(**message);
  }
  const auto value = parse_value(text);
  if (!value.ok()) return 0;
  Writer body;
  body.variant(*value);
  Reader reader(body.bytes(), false);
  if (!reader.signature().ok()) std::abort();
  if (value->type == "s" && reader.text().value().size() + 5 > value->elements.front().size()) std::abort();
  const auto bytes =
      encode({.serial = 1, .path = "/a", .member = "M", .signature = "v", .body = body.bytes()});
  const auto back = decode(bytes, used);
  if (!back.ok() || !*back || used != bytes.size() || (*back)->body != body.bytes()) std::abort();
  return 0;
}
