#include <gtest/gtest.h>

#include <cerrno>

#include "network/definition.h"
#include "network/files.h"
#include "network/firewall.h"
#include "network/pools.h"
#include "network/ports.h"

namespace skiff::network {
namespace {

using sys::Ipv4;
using sys::Prefix;

Prefix prefix(const char* text) { return *Prefix::parse(text); }

TEST(Pools, GiveDockersSubnetsAndAvoidWhatIsTaken) {
  const auto pools = *subnet_pools({});
  EXPECT_EQ(choose_subnet(pools, {})->text(), "172.17.0.0/16");
  EXPECT_EQ(choose_subnet(pools, {prefix("172.16.0.0/15")})->text(), "172.18.0.0/16");
  EXPECT_EQ(choose_subnet(pools, {prefix("172.16.0.0/12")})->text(), "192.168.0.0/20");
  EXPECT_EQ(choose_subnet(pools, {prefix("172.16.0.0/12"), prefix("192.168.3.0/24")})->text(),
            "192.168.16.0/20");
  const auto full = choose_subnet(pools, {prefix("0.0.0.0/0")});
  EXPECT_EQ(full.error().message(), "all predefined address pools have been fully subnetted");
}

TEST(Pools, TakeTheConfiguredOnes) {
  spec::EngineConfig config;
  config.address_pools = {{"10.200.0.0/16", 24}};
  EXPECT_EQ(choose_subnet(*subnet_pools(config), {prefix("10.200.0.0/24")})->text(), "10.200.1.0/24");
  config.address_pools = {{"10.200.0.0/16", 8}};
  EXPECT_EQ(subnet_pools(config).error().kind(), Kind::InvalidArgument);
}

TEST(AddressSpace, GivesTheLowestFreeAddressOfTheRange) {
  AddressSpace space(prefix("10.0.0.0/29"), prefix("10.0.0.4/30"));
  EXPECT_EQ(space.take_any()->text(), "10.0.0.4");
  EXPECT_EQ(space.take_any()->text(), "10.0.0.5");
  space.give_back(*Ipv4::parse("10.0.0.4"));
  EXPECT_EQ(space.take_any()->text(), "10.0.0.4");
  EXPECT_EQ(space.take_any()->text(), "10.0.0.6");
  EXPECT_FALSE(space.take_any()) << "the last one is the broadcast address";
  EXPECT_TRUE(space.take(*Ipv4::parse("10.0.0.1")));
  EXPECT_FALSE(space.take(*Ipv4::parse("10.0.0.1")));
  EXPECT_FALSE(space.usable(*Ipv4::parse("10.0.0.0")));
  EXPECT_FALSE(space.usable(*Ipv4::parse("10.0.0.8")));
}

class Ports : public ::testing::Test {
 protected:
  PortReservations make() {
    return PortReservations(
        [this](const std::string&, Ipv4, std::uint16_t port) -> Result<sys::Fd> {
          if (foreign_ == port) return Error::from_errno("bind", EADDRINUSE);
          return sys::Fd();
        },
        {32768, 32770});
  }
  static constexpr Ipv4 kAny{0};
  static constexpr Ipv4 kContainer{0xac110002};
  int foreign_ = 0;
};

TEST_F(Ports, RefuseWhatIsTakenInDockersWords) {
  auto ports = make();
  ASSERT_TRUE(ports.reserve({"tcp", 80, "", 80}, kAny, kContainer).ok());
  EXPECT_EQ(ports.reserve({"tcp", 80, "", 80}, {0x7f000001}, kContainer).error().message(),
            "Bind for 127.0.0.1:80 failed: port is already allocated");
  EXPECT_TRUE(ports.reserve({"udp", 80, "", 80}, kAny, kContainer).ok());
  foreign_ = 81;
  EXPECT_EQ(ports.reserve({"tcp", 80, "", 81}, kAny, kContainer).error().message(),
            "failed to bind host port for 0.0.0.0:81:172.17.0.2:80/tcp: address already in use");
}

TEST_F(Ports, OfDifferentAddressesDoNotClash) {
  auto ports = make();
  ASSERT_TRUE(ports.reserve({"tcp", 80, "", 80}, {0x7f000001}, kContainer).ok());
  EXPECT_TRUE(ports.reserve({"tcp", 80, "", 80}, {0x0a000001}, kContainer).ok());
  EXPECT_FALSE(ports.reserve({"tcp", 80, "", 80}, kAny, kContainer).ok());
}

TEST_F(Ports, OfARangeTakeTheFirstFree) {
  auto ports = make();
  foreign_ = 9000;
  EXPECT_EQ(ports.reserve({"tcp", 80, "", 9000, 9001}, kAny, kContainer)->host_port, 9001);
  EXPECT_EQ(ports.reserve({"tcp", 80, "", 9000, 9001}, kAny, kContainer).error().message(),
            "Bind for 0.0.0.0:9001 failed: port is already allocated");
}

TEST_F(Ports, ChosenByUsGoRoundAndEnd) {
  auto ports = make();
  const auto first = ports.reserve({"tcp", 80}, kAny, kContainer);
  EXPECT_EQ(first->host_port, 32768);
  ports.release(*first);
  EXPECT_EQ(ports.reserve({"tcp", 80}, kAny, kContainer)->host_port, 32769);
  EXPECT_EQ(ports.reserve({"tcp", 80}, kAny, kContainer)->host_port, 32770);
  EXPECT_EQ(ports.reserve({"tcp", 80}, kAny, kContainer)->host_port, 32768);
  EXPECT_EQ(ports.reserve({"tcp", 80}, kAny, kContainer).error().kind(), Kind::Exhausted);
  EXPECT_EQ(ports.reserve({"udp", 80}, kAny, kContainer)->host_port, 32768);
}

TEST_F(Ports, AreOursAgainAfterARestartEvenWhenLost) {
  auto ports = make();
  foreign_ = 80;
  EXPECT_FALSE(ports.retake({"tcp", kAny, 80, kContainer, 80}).ok());
  EXPECT_EQ(ports.reserve({"tcp", 80, "", 80}, kAny, kContainer).error().message(),
            "Bind for 0.0.0.0:80 failed: port is already allocated");
}

TEST(Firewall, LaysPortsOutAsRegisters) {
  const auto any = firewall::encode({"udp", {0}, 0x1234, *Ipv4::parse("172.17.0.2"), 53});
  EXPECT_TRUE(any.any);
  EXPECT_EQ(any.element.key, std::string("\x11\0\0\0\x12\x34\0\0", 8));
  EXPECT_EQ(any.element.data, std::string("\xac\x11\0\x02\0\x35\0\0", 8));
  const auto at = firewall::encode({"tcp", *Ipv4::parse("127.0.0.1"), 80, *Ipv4::parse("172.17.0.2"), 80});
  EXPECT_FALSE(at.any);
  EXPECT_EQ(at.element.key, std::string("\x06\0\0\0\x7f\0\0\x01\0\x50\0\0", 12));
}

std::string complaint(const spec::docker::IpamConfig& config) {
  return read_addressing(config).error().message();
}

TEST(Definition, NamesWhatIsWrongWithAddresses) {
  EXPECT_EQ(complaint({"172.17.0.0/33", "", "", {}}),
            "invalid network config:\ninvalid subnet 172.17.0.0/33: invalid CIDR block notation");
  EXPECT_EQ(complaint({"10.77.1.5/24", "", "", {}}),
            "invalid network config:\ninvalid subnet 10.77.1.5/24: it should be 10.77.1.0/24");
  EXPECT_EQ(complaint({"10.77.1.0/24", "", "10.78.0.1", {}}),
            "invalid network config:\ninvalid gateway 10.78.0.1: parent subnet 10.77.1.0/24 doesn't contain "
            "this address");
  EXPECT_EQ(complaint({"10.77.1.0/24", "10.77.1.5/28", "foo", {{"a", "10.78.0.1"}}}),
            "invalid network config:\n"
            "invalid ip-range 10.77.1.5/28: it should be 10.77.1.0/28\n"
            "invalid gateway foo: invalid address\n"
            "invalid auxiliary address a: parent subnet 10.77.1.0/24 doesn't contain this address");
}

TEST(Definition, ReadsOptions) {
  const auto options =
      read_bridge_options({{kOptionMtu, "1400"}, {kOptionIcc, "false"}, {kOptionHostBinding, "127.0.0.1"}});
  EXPECT_EQ(options->mtu, 1400);
  EXPECT_FALSE(options->icc);
  EXPECT_EQ(options->host_binding.text(), "127.0.0.1");
  EXPECT_EQ(
      read_bridge_options({{kOptionMtu, "x"}}).error().message(),
      "failed to parse com.docker.network.driver.mtu value: x (strconv.Atoi: parsing \"x\": invalid syntax)");
  EXPECT_FALSE(read_bridge_options({{kOptionName, "abcdefghijklmnopqrst"}}).ok());
  EXPECT_FALSE(read_bridge_options({{kOptionName, "../x"}}).ok());
}

TEST(Definition, RefusesRequestsInDockersWords) {
  const auto refusal = [](const char* name, const char* driver) {
    spec::docker::NetworkCreate request;
    request.name = name;
    request.driver = driver;
    return check_request(request).error().message();
  };
  EXPECT_EQ(refusal("", ""), "invalid name: name is empty");
  EXPECT_EQ(refusal("host", ""), "operation is not permitted on predefined host network ");
  EXPECT_EQ(refusal("x", "host"), "only one instance of \"host\" network is allowed");
  EXPECT_EQ(refusal("x", "foo"), "plugin \"foo\" not found");
}

TEST(Files, ResolvConfFollowsTheNetwork) {
  const std::string host = "# x\nnameserver 127.0.0.53\nnameserver 10.0.0.1\nsearch a b\noptions edns0\n";
  EXPECT_EQ(resolv_conf({}, {}, false, host),
            "# Generated by Skiff; written once, may be edited in the container.\n\n"
            "nameserver 10.0.0.1\nsearch a b\noptions edns0\n");
  EXPECT_EQ(resolv_conf({}, {}, true, host),
            "# Generated by Skiff; written once, may be edited in the container.\n\n"
            "nameserver 127.0.0.11\nsearch a b\noptions edns0 ndots:0\n");
  EXPECT_NE(resolv_conf({}, {{"1.1.1.1"}, {"."}, {}}, false, host).find("nameserver 1.1.1.1\noptions"),
            std::string::npos);
  EXPECT_NE(resolv_conf({}, {}, false, "").find("8.8.8.8"), std::string::npos);
  EXPECT_EQ(upstream_servers({}, {}, host), (std::vector<std::string>{"127.0.0.53", "10.0.0.1"}));
}

TEST(Files, HostsHaveOwnAndExtraNames) {
  Endpoint endpoint;
  endpoint.ipv4 = "172.18.0.2";
  const auto text =
      hosts_file("hh", "dd.com", {endpoint}, {"foo:1.2.3.4", "six=::1", "hg:host-gateway"}, "172.17.0.1");
  EXPECT_TRUE(text->ends_with(
      "ff02::2\tip6-allrouters\n1.2.3.4\tfoo\n::1\tsix\n172.17.0.1\thg\n172.18.0.2\thh.dd.com hh\n"))
      << *text;
  EXPECT_EQ(hosts_file("h", "", {}, {"foo"}, "").error().message(), "bad format for add-host: \"foo\"");
}

}  // namespace
}  // namespace skiff::network
