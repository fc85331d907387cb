// The log parser on any bytes: it stays inside them, and what it calls a record is written back the same.
#include <cstdint>
#include <cstdlib>

#include "monitor/log_format.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skiff::monitor;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string_view rest = text;
  while (true) {
    const ParsedPiece parsed = parse_piece(rest);
    if (parsed.state != Parse::Complete) break;
    std::string again;
    append_piece(again, parsed.piece);
    if (parsed.size > rest.size() || again != rest.substr(0, parsed.size)) std::abort();
    rest.remove_prefix(parsed.size);
  }
  if (const auto torn = parse_torn(rest); torn && torn->bytes.size() > rest.size()) std::abort();
  for (const std::uint64_t index : {0, 1}) {
    if (valid_length(text, index) > text.size()) std::abort();
  }
  (void)parse_time(text);
  (void)parse_segment_name(text);
  return 0;
}
