#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sys/net/address.h"

/// DNS messages (RFC 1035) as the embedded server needs them. Bytes come from containers and from other
/// servers: nothing here trusts them.
namespace skiff::network::dns {

enum class Type : std::uint16_t { A = 1, Ptr = 12, Aaaa = 28 };
enum class Code : std::uint8_t {
  NoError = 0,
  FormatError = 1,
  ServerFailure = 2,
  NotImplemented = 4,
  Refused = 5
};

struct Question {
  std::uint16_t id = 0;
  std::string name;  ///< with its own case, without the final dot
  std::uint16_t type = 0;
  std::size_t reply_limit = 512;  ///< what the asker takes over UDP (EDNS)
};

inline constexpr std::size_t kMaxMessage = 65535;

/// The one question of a standard query in class IN; nothing for anything else.
std::optional<Question> parse_query(std::string_view message);
/// Whether at least the header is there, so that a refusal can carry the id.
bool has_header(std::string_view message);
std::uint16_t message_id(std::string_view message);
void set_message_id(std::string& message, std::uint16_t id);
Code message_code(std::string_view message);

/// Answers to `query`; over `limit` bytes they are cut and marked as truncated. An empty list of addresses
/// says that the name exists and has none of that type.
std::string answer_addresses(std::string_view query, const std::vector<sys::Ipv4>& addresses,
                             std::size_t limit);
std::string answer_name(std::string_view query, const std::string& name);
/// A refusal with the header's id, and with the question where there is a readable one.
std::string answer_code(std::string_view query, Code code);

/// Whether `answer` is an answer to `query`: same id, same question. Guards against forged packets.
bool answers(std::string_view answer, std::string_view query);

/// The address in "2.0.17.172.in-addr.arpa".
std::optional<sys::Ipv4> reverse_address(std::string_view name);

}  // namespace skiff::network::dns
