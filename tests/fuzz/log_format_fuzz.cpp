// The log parser on any bytes: it stays inside them, and what it calls a record is written back the same.
#include <cstdint>
#include <cstdlib>

#include "monitor/log_format.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skiff::monitor;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string_view rest = text;
  while (true) {
    const ParsedRecord parsed = parse_record(rest);
    if (parsed.state != Parse::Complete) break;
    std::string again;
    append_record(again, parsed.record);
    if (parsed.size > rest.size() || again != rest.substr(0, parsed.size)) std::abort();
    rest.remove_prefix(parsed.size);
  }
  if (valid_length(text) > text.size()) std::abort();
  (void)parse_trailer(text.substr(0, kRecordTrailer));
  (void)parse_segment_name(text);
  return 0;
}
