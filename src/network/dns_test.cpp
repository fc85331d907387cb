#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <gtest/gtest.h>

#include <cstring>

#include "network/dns_message.h"
#include "network/dns_server.h"
#include "network/names.h"

namespace skiff::network {
namespace {

using sys::Fd;
using sys::Ipv4;

std::string query_for(const std::string& name, dns::Type type, std::uint16_t id = 0x1234) {
  std::string out("\0\0\x01\0\0\x01\0\0\0\0\0\0", 12);
  dns::set_message_id(out, id);
  std::size_t at = 0;
  while (at < name.size()) {
    const auto dot = std::min(name.find('.', at), name.size());
    out.push_back(static_cast<char>(dot - at));
    out += name.substr(at, dot - at);
    at = dot + 1;
  }
  out.push_back('\0');
  out += std::string("\0", 1) + static_cast<char>(type) + std::string("\0\x01", 2);
  return out;
}

int answers_in(const std::string& message) {
  return static_cast<unsigned char>(message[6]) << 8 | static_cast<unsigned char>(message[7]);
}
bool truncated(const std::string& message) { return (message[2] & 2) != 0; }

TEST(DnsMessage, ReadsAQuestion) {
  const auto question = dns::parse_query(query_for("Db.backend", dns::Type::A));
  ASSERT_TRUE(question);
  EXPECT_EQ(question->name, "Db.backend");
  EXPECT_EQ(question->type, 1);
  EXPECT_EQ(question->id, 0x1234);
  EXPECT_EQ(question->reply_limit, 512U);
}

TEST(DnsMessage, RefusesWhatIsNoQuestion) {
  std::string answer = query_for("db", dns::Type::A);
  answer[2] = static_cast<char>(0x81);
  EXPECT_FALSE(dns::parse_query(answer));
  EXPECT_FALSE(dns::parse_query(""));
  EXPECT_FALSE(dns::parse_query(std::string(12, '\0')));
  const std::string loop("\0\x01\x01\0\0\x01\0\0\0\0\0\0\xc0\x0c\0\x01\0\x01", 18);
  EXPECT_FALSE(dns::parse_query(loop));
  const auto refusal = dns::answer_code(loop, dns::Code::FormatError);
  EXPECT_EQ(dns::message_id(refusal), 1);
  EXPECT_EQ(dns::message_code(refusal), dns::Code::FormatError);
  EXPECT_EQ(dns::answer_code("short", dns::Code::FormatError), "");
}

TEST(DnsMessage, AnswersAddressesAndTruncates) {
  const auto query = query_for("db", dns::Type::A);
  const auto answer = dns::answer_addresses(query, {{0x0a000001}, {0x0a000002}}, 512);
  EXPECT_EQ(answers_in(answer), 2);
  EXPECT_TRUE(dns::answers(answer, query));
  EXPECT_FALSE(dns::answers(answer, query_for("dc", dns::Type::A)));
  EXPECT_FALSE(dns::answers(answer, query_for("db", dns::Type::A, 9)));
  const auto cut = dns::answer_addresses(query, std::vector<Ipv4>(100, Ipv4{1}), 512);
  EXPECT_TRUE(truncated(cut));
  EXPECT_EQ(answers_in(cut), 0);
  const auto empty = dns::answer_addresses(query_for("db", dns::Type::Aaaa), {}, 512);
  EXPECT_EQ(answers_in(empty), 0);
  EXPECT_EQ(dns::message_code(empty), dns::Code::NoError);
}

TEST(DnsMessage, ReadsReverseNames) {
  EXPECT_EQ(dns::reverse_address("2.0.18.172.IN-ADDR.arpa"), Ipv4::parse("172.18.0.2"));
  EXPECT_FALSE(dns::reverse_address("0.18.172.in-addr.arpa"));
  EXPECT_FALSE(dns::reverse_address("db"));
}

Endpoint endpoint(const std::string& container, const std::string& network, const std::string& address,
                  std::vector<std::string> names, std::vector<std::string> links = {}) {
  Endpoint out;
  out.container = container;
  out.container_name = names.empty() ? "" : names.front();
  out.network = network;
  out.network_name = network;
  out.ipv4 = address;
  out.dns_names = std::move(names);
  out.links = std::move(links);
  return out;
}

TEST(Names, AreSeenOnSharedNetworksOnly) {
  Names names;
  names.add(endpoint("w", "front", "10.0.0.2", {"web"}, {"db:mysql"}));
  names.add(endpoint("d", "front", "10.0.0.3", {"db", "data"}));
  names.add(endpoint("x", "back", "10.1.0.2", {"hidden"}));
  EXPECT_EQ(names.addresses("w", "DB."), std::vector{*Ipv4::parse("10.0.0.3")});
  EXPECT_EQ(names.addresses("w", "data.front"), std::vector{*Ipv4::parse("10.0.0.3")});
  EXPECT_EQ(names.addresses("w", "mysql"), std::vector{*Ipv4::parse("10.0.0.3")});
  EXPECT_FALSE(names.addresses("d", "mysql"));
  EXPECT_FALSE(names.addresses("w", "hidden"));
  EXPECT_FALSE(names.addresses("w", "db.back"));
  EXPECT_EQ(names.name_of("w", *Ipv4::parse("10.0.0.3")), "db.front");
  EXPECT_FALSE(names.name_of("w", *Ipv4::parse("10.1.0.2")));
  names.rename("d", "store", {endpoint("d", "front", "10.0.0.3", {"store", "data"})});
  EXPECT_FALSE(names.addresses("w", "db"));
  EXPECT_TRUE(names.addresses("w", "store"));
  names.remove("d", "front");
  EXPECT_FALSE(names.addresses("w", "store"));
}

TEST(Names, SeveralContainersShareAnAliasInTurn) {
  Names names;
  names.add(endpoint("a", "net", "10.0.0.2", {"a", "api"}));
  names.add(endpoint("b", "net", "10.0.0.3", {"b", "api"}));
  const auto first = names.addresses("a", "api");
  const auto second = names.addresses("a", "api");
  ASSERT_EQ(first->size(), 2U);
  EXPECT_EQ(first->front(), second->back());
  EXPECT_EQ(first->back(), second->front());
}

struct Bound {
  Fd fd;
  std::uint16_t port = 0;
};

Bound bound(int type, const char* address, std::uint16_t port = 0) {
  Bound out{Fd(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0))};
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  name.sin_addr.s_addr = Ipv4::parse(address)->network_order();
  EXPECT_EQ(::bind(out.fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
  if (type == SOCK_STREAM) {
    EXPECT_EQ(::listen(out.fd.get(), 8), 0);
  }
  socklen_t size = sizeof name;
  ::getsockname(out.fd.get(), reinterpret_cast<sockaddr*>(&name), &size);
  out.port = ntohs(name.sin_port);
  return out;
}

std::string receive(const Fd& fd, sockaddr_in* peer = nullptr) {
  pollfd ready{fd.get(), POLLIN, 0};
  if (::poll(&ready, 1, 5000) != 1) return {};
  std::string out(4096, '\0');
  sockaddr_in from{};
  socklen_t size = sizeof from;
  const auto got = ::recvfrom(fd.get(), out.data(), out.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
  out.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  if (peer) *peer = from;
  return out;
}

Fd connected(int type, std::uint16_t port) {
  Fd fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
  return fd;
}

class ServedNames : public ::testing::Test {
 protected:
  void serve(const std::vector<std::string>& upstream, std::uint16_t upstream_port = 53) {
    names_.add(endpoint("w", "net", "10.0.0.2", {"web"}));
    names_.add(endpoint("d", "net", "10.0.0.3", {"db"}));
    server_ = std::make_unique<DnsServer>(names_, upstream_port);
    auto udp = bound(SOCK_DGRAM, "127.0.0.1");
    auto tcp = bound(SOCK_STREAM, "127.0.0.1");
    udp_port_ = udp.port;
    tcp_port_ = tcp.port;
    std::vector<Fd> sockets;
    sockets.push_back(std::move(udp.fd));
    sockets.push_back(std::move(tcp.fd));
    ASSERT_TRUE(server_->serve("w", std::move(sockets), upstream).ok());
  }
  std::string ask(const std::string& query) {
    const Fd fd = connected(SOCK_DGRAM, udp_port_);
    EXPECT_EQ(::send(fd.get(), query.data(), query.size(), 0), static_cast<ssize_t>(query.size()));
    return receive(fd);
  }
  Names names_;
  std::unique_ptr<DnsServer> server_;
  std::uint16_t udp_port_ = 0;
  std::uint16_t tcp_port_ = 0;
};

TEST_F(ServedNames, AnswersOverUdpAndTcp) {
  serve({});
  const auto query = query_for("db", dns::Type::A);
  EXPECT_EQ(answers_in(ask(query)), 1);
  EXPECT_EQ(answers_in(ask(query_for("3.0.0.10.in-addr.arpa", dns::Type::Ptr))), 1);
  const auto no_ipv6 = ask(query_for("db", dns::Type::Aaaa));
  EXPECT_EQ(answers_in(no_ipv6), 0);
  EXPECT_EQ(dns::message_code(no_ipv6), dns::Code::NoError);
  EXPECT_EQ(dns::message_code(ask(query_for("nobody", dns::Type::A))), dns::Code::ServerFailure);

  const Fd tcp = connected(SOCK_STREAM, tcp_port_);
  std::string frame{'\0', static_cast<char>(query.size())};
  frame += query;
  ASSERT_EQ(::send(tcp.get(), frame.data(), 1, 0), 1);  // in pieces, as streams may come
  ASSERT_EQ(::send(tcp.get(), frame.data() + 1, frame.size() - 1, 0), static_cast<ssize_t>(frame.size() - 1));
  const auto reply = receive(tcp);
  ASSERT_GT(reply.size(), 2U);
  EXPECT_EQ(answers_in(reply.substr(2)), 1);
}

TEST_F(ServedNames, ForwardsWhatItDoesNotKnow) {
  const auto upstream = bound(SOCK_DGRAM, "127.0.0.1");
  serve({"127.0.0.1"}, upstream.port);
  const auto query = query_for("example.org", dns::Type::A);
  const Fd asker = connected(SOCK_DGRAM, udp_port_);
  ASSERT_GT(::send(asker.get(), query.data(), query.size(), 0), 0);
  sockaddr_in peer{};
  const auto forwarded = receive(upstream.fd, &peer);
  ASSERT_EQ(forwarded.size(), query.size());
  EXPECT_EQ(forwarded.substr(2), query.substr(2));
  const auto send = [&](const std::string& message) {
    ::sendto(upstream.fd.get(), message.data(), message.size(), 0, reinterpret_cast<const sockaddr*>(&peer),
             sizeof peer);
  };
  auto forged = dns::answer_addresses(forwarded, {{0x01010101}}, 512);
  dns::set_message_id(forged, static_cast<std::uint16_t>(dns::message_id(forwarded) + 1));
  send(forged);
  send(dns::answer_addresses(forwarded, {{0x05060708}}, 512));
  const auto answer = receive(asker);
  EXPECT_EQ(dns::message_id(answer), 0x1234);
  EXPECT_EQ(answer.substr(answer.size() - 4), "\x05\x06\x07\x08");
}

TEST_F(ServedNames, StopsWhenToldTo) {
  serve({});
  EXPECT_EQ(answers_in(ask(query_for("db", dns::Type::A))), 1);
  server_->stop("w");
  server_.reset();  // waits for the loop: the sockets are closed now
  const Fd late(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  EXPECT_GE(bound(SOCK_DGRAM, "127.0.0.1", udp_port_).port, 1);
}

}  // namespace
}  // namespace skiff::network
