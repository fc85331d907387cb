#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "api/pattern.h"
#include "api/query.h"
#include "api/version.h"
#include "http/parser.h"

/// The first byte says how large the pieces are in which the message arrives.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skiff;
  if (size == 0) return 0;
  const std::size_t piece = data[0] + 1U;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  for (const auto side : {http::MessageParser::Side::Request, http::MessageParser::Side::Response}) {
    http::MessageParser parser(side, 4096);
    std::string buffer;
    std::string body;
    std::size_t sent = 0;
    while (!parser.done()) {
      const auto eaten = parser.feed(buffer, body);
      if (!eaten.ok()) break;
      if (*eaten > buffer.size()) std::abort();
      buffer.erase(0, *eaten);
      if (*eaten > 0) continue;
      if (sent == text.size()) {
        (void)parser.end();
        break;
      }
      const auto next = text.substr(sent, piece);
      buffer += next;
      sent += next.size();
    }
    if (body.size() > text.size()) std::abort();
    if (!parser.head_done()) continue;
    const auto& target = parser.head().target;
    if (const auto path = api::negotiate(target); path.ok()) {
      (void)api::match("/images/{name...}/json", http::percent_decode(path->path, false));
      (void)api::Query::parse(target);
    }
  }
  return 0;
}
