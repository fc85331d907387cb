#include <cstdint>
#include <string_view>

#include "network/dns_message.h"

// Questions come from containers, answers from whatever calls itself a name server.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skiff::network;
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  if (const auto question = dns::parse_query(message)) {
    dns::reverse_address(question->name);
    dns::answer_addresses(message, {{1}, {2}}, question->reply_limit);
    dns::answer_name(message, "db.backend");
  }
  dns::answer_code(message, dns::Code::ServerFailure);
  dns::answers(message.substr(0, size / 2), message.substr(size / 2));
  return 0;
}
