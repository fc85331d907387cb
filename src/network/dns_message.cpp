#include "network/dns_message.h"

#include <ldns/ldns.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "base/strings.h"

namespace skiff::network::dns {
namespace {

constexpr std::uint32_t kTimeToLive = 600;  // Docker's
constexpr std::size_t kHeader = 12;

struct FreePacket {
  void operator()(ldns_pkt* packet) const { ldns_pkt_free(packet); }
};
using Packet = std::unique_ptr<ldns_pkt, FreePacket>;

Packet parse(std::string_view message) {
  ldns_pkt* packet = nullptr;
  if (message.size() > kMaxMessage) return nullptr;
  if (ldns_wire2pkt(&packet, reinterpret_cast<const std::uint8_t*>(message.data()), message.size()) !=
      LDNS_STATUS_OK)
    return nullptr;
  return Packet(packet);
}

const ldns_rr* question_of(const Packet& packet) {
  if (!packet || ldns_pkt_get_opcode(packet.get()) != LDNS_PACKET_QUERY) return nullptr;
  const auto* list = ldns_pkt_question(packet.get());
  if (!list || ldns_rr_list_rr_count(list) != 1) return nullptr;
  return ldns_rr_list_rr(list, 0);
}

std::string text_of(const ldns_rdf* name) {
  std::unique_ptr<char, void (*)(void*)> text(ldns_rdf2str(name), std::free);
  std::string out = text ? text.get() : "";
  if (out.ends_with('.')) out.pop_back();
  return out;
}

std::string wire_of(const ldns_pkt* packet) {
  std::uint8_t* bytes = nullptr;
  std::size_t size = 0;
  if (ldns_pkt2wire(&bytes, packet, &size) != LDNS_STATUS_OK) return {};
  std::string out(reinterpret_cast<const char*>(bytes), size);
  std::free(bytes);
  return out;
}

/// An answer's packet with header and question, still without records.
Packet reply_to(const Packet& query, Code code) {
  Packet reply(ldns_pkt_new());
  ldns_pkt_set_id(reply.get(), ldns_pkt_id(query.get()));
  ldns_pkt_set_qr(reply.get(), true);
  ldns_pkt_set_rd(reply.get(), ldns_pkt_rd(query.get()));
  ldns_pkt_set_ra(reply.get(), true);
  ldns_pkt_set_rcode(reply.get(), static_cast<ldns_pkt_rcode>(code));
  if (const auto* question = question_of(query))
    ldns_pkt_push_rr(reply.get(), LDNS_SECTION_QUESTION, ldns_rr_clone(question));
  return reply;
}

void push_answer(ldns_pkt* reply, const ldns_rr* question, ldns_rr_type type, ldns_rdf* data) {
  ldns_rr* record = ldns_rr_new();
  ldns_rr_set_owner(record, ldns_rdf_clone(ldns_rr_owner(question)));
  ldns_rr_set_type(record, type);
  ldns_rr_set_class(record, LDNS_RR_CLASS_IN);
  ldns_rr_set_ttl(record, kTimeToLive);
  ldns_rr_push_rdf(record, data);
  ldns_pkt_push_rr(reply, LDNS_SECTION_ANSWER, record);
}

std::string bare_refusal(std::string_view query, Code code) {
  std::string out(query.substr(0, kHeader));
  out[2] = static_cast<char>((static_cast<unsigned char>(out[2]) & 0x79) | 0x80);  // QR; keep opcode and RD
  out[3] = static_cast<char>(0x80 | static_cast<int>(code));
  std::fill(out.begin() + 4, out.end(), '\0');
  return out;
}

}  // namespace

bool has_header(std::string_view message) { return message.size() >= kHeader; }

std::uint16_t message_id(std::string_view message) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(message[0]) << 8 |
                                    static_cast<unsigned char>(message[1]));
}

void set_message_id(std::string& message, std::uint16_t id) {
  message[0] = static_cast<char>(id >> 8);
  message[1] = static_cast<char>(id & 255);
}

Code message_code(std::string_view message) {
  return static_cast<Code>(static_cast<unsigned char>(message[3]) & 15);
}

std::optional<Question> parse_query(std::string_view message) {
  if (!has_header(message)) return std::nullopt;
  const Packet packet = parse(message);
  const auto* question = question_of(packet);
  if (!question || ldns_pkt_qr(packet.get()) || ldns_rr_get_class(question) != LDNS_RR_CLASS_IN)
    return std::nullopt;
  Question out;
  out.id = ldns_pkt_id(packet.get());
  out.name = text_of(ldns_rr_owner(question));
  out.type = static_cast<std::uint16_t>(ldns_rr_get_type(question));
  out.reply_limit = std::max<std::size_t>(512, ldns_pkt_edns_udp_size(packet.get()));
  return out;
}

std::string answer_addresses(std::string_view query, const std::vector<sys::Ipv4>& addresses,
                             std::size_t limit) {
  const Packet asked = parse(query);
  const auto* question = question_of(asked);
  if (!question) return answer_code(query, Code::FormatError);
  Packet reply = reply_to(asked, Code::NoError);
  ldns_pkt_set_aa(reply.get(), !addresses.empty());
  for (const auto address : addresses) {
    const std::uint32_t bytes = address.network_order();
    push_answer(reply.get(), question, LDNS_RR_TYPE_A,
                ldns_rdf_new_frm_data(LDNS_RDF_TYPE_A, sizeof bytes, &bytes));
  }
  std::string wire = wire_of(reply.get());
  if (wire.size() <= limit) return wire;
  Packet cut = reply_to(asked, Code::NoError);
  ldns_pkt_set_tc(cut.get(), true);
  return wire_of(cut.get());
}

std::string answer_name(std::string_view query, const std::string& name) {
  const Packet asked = parse(query);
  const auto* question = question_of(asked);
  ldns_rdf* data = question ? ldns_dname_new_frm_str((name + ".").c_str()) : nullptr;
  if (!data) return answer_code(query, Code::ServerFailure);
  Packet reply = reply_to(asked, Code::NoError);
  push_answer(reply.get(), question, LDNS_RR_TYPE_PTR, data);
  return wire_of(reply.get());
}

std::string answer_code(std::string_view query, Code code) {
  if (!has_header(query)) return {};
  const Packet asked = parse(query);
  return question_of(asked) ? wire_of(reply_to(asked, code).get()) : bare_refusal(query, code);
}

bool answers(std::string_view answer, std::string_view query) {
  if (!has_header(answer) || !has_header(query) || message_id(answer) != message_id(query)) return false;
  const Packet reply = parse(answer);
  const Packet asked = parse(query);
  const auto* theirs = question_of(reply);
  const auto* ours = question_of(asked);
  return theirs && ours && ldns_pkt_qr(reply.get()) && ldns_rr_get_type(theirs) == ldns_rr_get_type(ours) &&
         ldns_dname_compare(ldns_rr_owner(theirs), ldns_rr_owner(ours)) == 0;
}

std::optional<sys::Ipv4> reverse_address(std::string_view name) {
  constexpr std::string_view kSuffix = ".in-addr.arpa";
  if (name.size() <= kSuffix.size() ||
      !equals_ignore_case(name.substr(name.size() - kSuffix.size()), kSuffix))
    return std::nullopt;
  auto parts = split(name.substr(0, name.size() - kSuffix.size()), '.');
  std::reverse(parts.begin(), parts.end());
  return sys::Ipv4::parse(join(parts, "."));
}

}  // namespace skiff::network::dns
