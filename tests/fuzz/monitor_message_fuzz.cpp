// Bodies of monitor messages on any JSON.
#include <cstdint>

#include "monitor/protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skiff;
  const auto parsed = json::parse({reinterpret_cast<const char*>(data), size});
  if (!parsed) return 0;
  (void)json::from_value<monitor::CreateRequest>(*parsed);
  (void)json::from_value<monitor::ExecRequest>(*parsed);
  (void)json::from_value<monitor::StateReply>(*parsed);
  (void)json::from_value<monitor::AttachmentHeader>(*parsed);
  return 0;
}
