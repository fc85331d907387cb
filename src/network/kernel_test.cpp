// The network service on the real kernel, in network namespaces of its own: the machine's network is never
// touched.
#include "network/kernel.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <functional>
#include <thread>

#include "network/dns_message.h"
#include "network/service_impl.h"
#include "network/testing/memory_database.h"
#include "sys/file.h"
#include "sys/net/nftables.h"
#include "sys/net/route.h"

namespace skiff::network {
namespace {

using sys::Fd;
using sys::Ipv4;

constexpr int kPatience = 5000;  // ms; only a failure takes so long

/// Runs `body` in a child process with a network namespace of its own; its failed expectations are this
/// test's.
void in_private_network(const std::function<void()>& body) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (::unshare(CLONE_NEWNET) != 0) {
      std::perror("unshare");
      ::_exit(2);
    }
    body();
    std::fflush(nullptr);
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "see the messages above; status " << status;
}

void set_loopback_up() {
  auto socket = *sys::RouteSocket::open();
  sys::RouteBatch batch;
  batch.set_up(1, "lo");
  ASSERT_TRUE(socket.run(batch).ok());
}

/// As the runtime makes one for a container.
Fd new_namespace() {
  Fd fd;
  std::thread([&] {
    if (::unshare(CLONE_NEWNET) != 0) return;
    fd = Fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    set_loopback_up();
  }).join();
  return fd;
}

sockaddr_in name_of(const std::string& address, std::uint16_t port) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  name.sin_addr.s_addr = Ipv4::parse(address)->network_order();
  return name;
}

Fd socket_in(const Fd* where, int type) {
  Fd fd;
  if (!where) return Fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
  EXPECT_TRUE(sys::in_network_namespace(*where, [&]() -> Result<void> {
                fd = Fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
                return {};
              }).ok());
  return fd;
}

Fd listener(const Fd* where, std::uint16_t port, int type = SOCK_STREAM) {
  Fd fd = socket_in(where, type);
  const auto name = name_of("0.0.0.0", port);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
  if (type == SOCK_STREAM) {
    EXPECT_EQ(::listen(fd.get(), 8), 0);
  }
  return fd;
}

/// Connects; "" on success, else strerror's name. Nothing answering within `patience` is "timeout".
std::string connect_from(const Fd* where, const std::string& address, std::uint16_t port,
                         int patience = kPatience) {
  Fd fd = socket_in(where, SOCK_STREAM | SOCK_NONBLOCK);
  const auto name = name_of(address, port);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0) return "";
  if (errno != EINPROGRESS) return std::strerror(errno);
  pollfd ready{fd.get(), POLLOUT, 0};
  if (::poll(&ready, 1, patience) != 1) return "timeout";
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? "" : std::strerror(error);
}

std::string peer_of_next(const Fd& listening) {
  pollfd ready{listening.get(), POLLIN, 0};
  if (::poll(&ready, 1, kPatience) != 1) return "nobody";
  sockaddr_in peer{};
  socklen_t size = sizeof peer;
  Fd accepted(::accept4(listening.get(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC));
  return Ipv4::from_network_order(peer.sin_addr.s_addr).text();
}

std::string ask(const Fd* where, const std::string& address, std::uint16_t port, const std::string& message) {
  Fd fd = socket_in(where, SOCK_DGRAM);
  const auto name = name_of(address, port);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) return "";
  if (::send(fd.get(), message.data(), message.size(), 0) < 0) return "";
  pollfd ready{fd.get(), POLLIN, 0};
  if (::poll(&ready, 1, kPatience) != 1) return "";
  std::string answer(2048, '\0');
  const auto got = ::recv(fd.get(), answer.data(), answer.size(), 0);
  answer.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return answer;
}

struct Engine {
  Engine() {
    config.bridge = "sktest0";
    config.dns = {"10.255.255.1"};
    auto opened = Service::open(config, database);
    EXPECT_TRUE(opened.ok()) << opened.error().message();
    service = *std::move(opened);
  }
  Endpoint join(const std::string& container, const std::string& network, const Fd& where,
                const std::vector<std::string>& aliases = {}) {
    EndpointRequest request;
    request.network = network;
    request.container = container;
    request.container_name = container.substr(0, 2);
    request.aliases = aliases;
    auto endpoint = service->allocate(request);
    EXPECT_TRUE(endpoint.ok()) << endpoint.error().message();
    const auto plugged = service->plug(*endpoint, where);
    EXPECT_TRUE(plugged.ok()) << plugged.error().message();
    return *endpoint;
  }
  std::string network(const std::string& name, bool internal = false,
                      std::map<std::string, std::string> options = {}) {
    spec::docker::NetworkCreate request;
    request.name = name;
    request.internal = internal;
    request.options = std::move(options);
    auto id = service->create(request);
    EXPECT_TRUE(id.ok()) << id.error().message();
    return *id;
  }
  spec::EngineConfig config;
  testing::MemoryDatabase database;
  std::unique_ptr<Service> service;
};

/// A neighbour of the host: 10.9.0.2 beside the host's 10.9.0.1.
Fd add_neighbour() {
  Fd outside = new_namespace();
  auto host = *sys::RouteSocket::open();
  sys::RouteBatch make;
  make.add_veth({"lan0", "eth0", "", 1500, 0, &outside});
  EXPECT_TRUE(host.run(make).ok());
  sys::RouteBatch configure;
  configure.add_address(host.link("lan0")->index, *sys::Prefix::parse("10.9.0.1/24"));
  EXPECT_TRUE(host.run(configure).ok());
  EXPECT_TRUE(sys::in_network_namespace(outside, []() -> Result<void> {
                auto inside = TRY(sys::RouteSocket::open());
                const int index = TRY(inside.link("eth0")).index;
                sys::RouteBatch batch;
                batch.set_up(1, "lo");
                batch.add_address(index, *sys::Prefix::parse("10.9.0.2/24"));
                batch.set_up(index, "eth0");
                batch.add_default_route(index, *Ipv4::parse("10.9.0.1"));
                return inside.run(batch);
              }).ok());
  return outside;
}

const std::string kContainerA(64, 'a');
const std::string kContainerB(64, 'b');

TEST(KernelNetwork, ContainersOfOneBridgeReachEachOtherAndTheHost) {
  in_private_network([] {
    set_loopback_up();
    Engine engine;
    const Fd a = new_namespace();
    const Fd b = new_namespace();
    const auto at_a = engine.join(kContainerA, "bridge", a);
    const auto at_b = engine.join(kContainerB, "bridge", b);
    EXPECT_EQ(at_a.ipv4, "172.17.0.2");
    EXPECT_EQ(at_b.mac, "02:42:ac:11:00:03");
    const Fd server = listener(&b, 80);
    EXPECT_EQ(connect_from(&a, at_b.ipv4, 80), "");
    EXPECT_EQ(peer_of_next(server), at_a.ipv4);
    EXPECT_EQ(connect_from(nullptr, at_b.ipv4, 80), "");
    const Fd host = listener(nullptr, 90);
    EXPECT_EQ(connect_from(&a, "172.17.0.1", 90), "");
    // The host's loopback stays the host's, although the bridge routes 127/8.
    EXPECT_NE(connect_from(&a, "127.0.0.1", 90, 300), "");
    EXPECT_EQ(engine.service->inspect("bridge")->containers.size(), 2U);
  });
}

TEST(KernelNetwork, PublishedPortsAnswerFromEverySide) {
  in_private_network([] {
    set_loopback_up();
    Engine engine;
    const Fd outside = add_neighbour();
    const Fd a = new_namespace();
    const Fd b = new_namespace();
    const auto at_a = engine.join(kContainerA, "bridge", a);
    const auto backend = engine.network("backend");
    engine.join(kContainerB, backend, b);
    const Fd server = listener(&a, 80);
    const Fd datagrams = listener(&a, 53, SOCK_DGRAM);
    const auto bound = engine.service->publish(
        at_a, {{"tcp", 80, "", 8080}, {"udp", 53, "", 5300}, {"tcp", 80, "127.0.0.1", 8081}});
    ASSERT_TRUE(bound.ok()) << bound.error().message();
    EXPECT_EQ(bound->front().host_address, "0.0.0.0");

    EXPECT_EQ(connect_from(nullptr, "127.0.0.1", 8080), "");
    EXPECT_EQ(peer_of_next(server), "172.17.0.1");
    EXPECT_EQ(connect_from(nullptr, "10.9.0.1", 8080), "");
    EXPECT_EQ(peer_of_next(server), "172.17.0.1");
    EXPECT_EQ(connect_from(&outside, "10.9.0.1", 8080), "");
    EXPECT_EQ(peer_of_next(server), "10.9.0.2");
    EXPECT_EQ(connect_from(&a, "10.9.0.1", 8080), "");  // to itself, by the host's address
    EXPECT_EQ(peer_of_next(server), "172.17.0.1");
    EXPECT_TRUE(sys::write_existing("/proc/sys/net/bridge/bridge-nf-call-iptables", "0").ok() ||
                !sys::exists("/proc/sys/net/bridge"));
    EXPECT_EQ(connect_from(&a, "10.9.0.1", 8080), "");  // the same without br_netfilter
    EXPECT_EQ(peer_of_next(server), "172.17.0.1");
    EXPECT_EQ(connect_from(&b, "10.9.0.1", 8080), "");  // from another network, by the host's address
    EXPECT_EQ(connect_from(nullptr, "127.0.0.1", 8081), "");
    EXPECT_NE(connect_from(&outside, "10.9.0.1", 8081, 300), "");

    std::thread echo([&] {
      char byte = 0;
      sockaddr_in peer{};
      socklen_t size = sizeof peer;
      if (::recvfrom(datagrams.get(), &byte, 1, 0, reinterpret_cast<sockaddr*>(&peer), &size) == 1)
        ::sendto(datagrams.get(), "y", 1, 0, reinterpret_cast<const sockaddr*>(&peer), size);
    });
    EXPECT_EQ(ask(&outside, "10.9.0.1", 5300, "x"), "y");
    echo.join();

    EXPECT_NE(connect_from(&outside, at_a.ipv4, 80, 300), "");  // not round the published port
    EXPECT_NE(connect_from(&b, at_a.ipv4, 80, 300), "");        // not from another bridge

    const auto again = engine.service->publish(at_a, {{"tcp", 81, "", 8080}});
    EXPECT_EQ(again.error().kind(), Kind::Conflict);
    EXPECT_TRUE(again.error().message().ends_with("Bind for 0.0.0.0:8080 failed: port is already allocated"));
    const Fd foreign = listener(nullptr, 8090);
    const auto taken = engine.service->publish(at_a, {{"tcp", 81, "", 8090}});
    EXPECT_TRUE(taken.error().message().ends_with(
        "failed to bind host port for 0.0.0.0:8090:172.17.0.2:81/tcp: address already in use"))
        << taken.error().message();
    Fd intruder = socket_in(nullptr, SOCK_STREAM);
    const auto name = name_of("0.0.0.0", 8080);
    EXPECT_NE(::bind(intruder.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);

    ASSERT_TRUE(engine.service->unpublish(kContainerA).ok());
    EXPECT_EQ(connect_from(nullptr, "127.0.0.1", 8080), "Connection refused");
    EXPECT_EQ(::bind(intruder.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
  });
}

TEST(KernelNetwork, ContainersGoOutUnderTheHostsAddressExceptFromInternalNetworks) {
  in_private_network([] {
    set_loopback_up();
    Engine engine;
    const Fd outside = add_neighbour();
    const Fd server = listener(&outside, 80);
    const Fd a = new_namespace();
    const Fd b = new_namespace();
    engine.join(kContainerA, "bridge", a);
    engine.join(kContainerB, engine.network("closed", true), b);
    EXPECT_EQ(connect_from(&a, "10.9.0.2", 80), "");
    EXPECT_EQ(peer_of_next(server), "10.9.0.1");
    EXPECT_NE(connect_from(&b, "10.9.0.2", 80, 300), "");
  });
}

TEST(KernelNetwork, IccFalseKeepsNeighboursApart) {
  in_private_network([] {
    set_loopback_up();
    Engine engine;
    const auto apart = engine.network("apart", false, {{kOptionIcc, "false"}});
    const Fd a = new_namespace();
    const Fd b = new_namespace();
    engine.join(kContainerA, apart, a);
    const auto at_b = engine.join(kContainerB, apart, b);
    const Fd server = listener(&b, 80);
    EXPECT_NE(connect_from(&a, at_b.ipv4, 80, 300), "");
    EXPECT_EQ(connect_from(nullptr, at_b.ipv4, 80), "");
  });
}

TEST(KernelNetwork, NamesAreAnsweredOnPort53OfTheContainer) {
  in_private_network([] {
    set_loopback_up();
    Engine engine;
    const auto backend = engine.network("backend");
    const Fd a = new_namespace();
    const Fd b = new_namespace();
    engine.join(kContainerA, backend, a);
    const auto at_b = engine.join(kContainerB, backend, b, {"db"});
    auto sockets = engine.service->open_dns(kContainerA, a);
    ASSERT_TRUE(sockets.ok()) << sockets.error().message();
    ASSERT_TRUE(engine.service->serve_dns(kContainerA, *std::move(sockets)).ok());
    const Fd own = listener(&a, 53, SOCK_DGRAM);  // the container's own server has the port all the same
    const std::string query(
        "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x02"
        "db\x00\x00\x01\x00\x01",
        20);
    const std::string answer = ask(&a, "127.0.0.11", 53, query);
    ASSERT_GT(answer.size(), query.size());
    EXPECT_EQ(answer.substr(0, 2), "\x12\x34");
    const std::uint32_t address = Ipv4::parse(at_b.ipv4)->network_order();
    EXPECT_EQ(answer.substr(answer.size() - 4), std::string(reinterpret_cast<const char*>(&address), 4));
    engine.service->stop_dns(kContainerA);
  });
}

TEST(KernelNetwork, ASecondLinkCanBeTakenAwayAgain) {
  in_private_network([] {
    set_loopback_up();
    Engine engine;
    const Fd outside = add_neighbour();
    const Fd server = listener(&outside, 80);
    const Fd a = new_namespace();
    const auto first = engine.join(kContainerA, "bridge", a);
    const auto second = engine.join(kContainerA, engine.network("backend"), a);
    EXPECT_EQ(second.interface, "eth1");
    ASSERT_TRUE(engine.service->unplug(first, &a).ok());
    EXPECT_EQ(connect_from(&a, "10.9.0.2", 80), "");  // the default route has moved over
    auto host = *sys::RouteSocket::open();
    EXPECT_FALSE(host.link(host_link(first)).ok());
    EXPECT_TRUE(host.link(host_link(second)).ok());
  });
}

TEST(KernelNetwork, ARestartKeepsWhatLivesAndAnEndLeavesNothing) {
  in_private_network([] {
    set_loopback_up();
    Engine engine;
    const Fd a = new_namespace();
    Fd b = new_namespace();
    const auto at_a = engine.join(kContainerA, "bridge", a);
    const auto at_b = engine.join(kContainerB, engine.network("backend"), b);
    const Fd server = listener(&a, 80);
    ASSERT_TRUE(engine.service->publish(at_a, {{"tcp", 80, "", 8080}}).ok());
    ASSERT_TRUE(engine.service->publish(at_b, {{"tcp", 80, "", 8081}}).ok());

    engine.service.reset();  // without shutdown(), as after kill -9
    EXPECT_EQ(connect_from(nullptr, "127.0.0.1", 8080), "");
    engine.service = *Service::open(engine.config, engine.database);
    EXPECT_EQ(connect_from(nullptr, "127.0.0.1", 8080), "");
    ASSERT_TRUE(engine.service->reconcile({kContainerA}).ok());
    EXPECT_EQ(connect_from(nullptr, "127.0.0.1", 8080), "");
    EXPECT_EQ(engine.service->published(kContainerA)->size(), 1U);
    EXPECT_TRUE(engine.service->published(kContainerB)->empty());
    EXPECT_EQ(engine.service->inspect("bridge")->containers.size(), 1U);
    auto host = *sys::RouteSocket::open();
    EXPECT_FALSE(host.link(host_link(at_b)).ok());

    engine.service->shutdown();
    EXPECT_TRUE(host.link("sktest0").ok()) << "a container is still running";
    ASSERT_TRUE(engine.service->unpublish(kContainerA).ok());
    ASSERT_TRUE(engine.service->unplug(at_a, &a).ok());
    ASSERT_TRUE(engine.service->release(kContainerA, "bridge").ok());
    engine.service->shutdown();
    EXPECT_EQ(host.links()->size(), 1U) << "only lo is left";
    EXPECT_FALSE(*sys::NftSocket::open()->has_table("skiff-sktest0"));
  });
}

TEST(KernelNetwork, AFlushedTableIsMadeWholeByTheNextChange) {
  in_private_network([] {
    set_loopback_up();
    Engine engine;
    const Fd a = new_namespace();
    const auto at_a = engine.join(kContainerA, "bridge", a);
    const Fd server = listener(&a, 80);
    ASSERT_TRUE(engine.service->publish(at_a, {{"tcp", 80, "", 8080}}).ok());
    sys::NftBatch away("skiff-sktest0");
    away.delete_table();
    auto nft = *sys::NftSocket::open();
    ASSERT_TRUE(nft.commit(away).ok());
    ASSERT_TRUE(engine.service->publish(at_a, {{"tcp", 80, "", 8081}}).ok());
    EXPECT_EQ(connect_from(nullptr, "127.0.0.1", 8080), "");
    EXPECT_EQ(connect_from(nullptr, "127.0.0.1", 8081), "");
    ASSERT_TRUE(nft.commit(away).ok());
    EXPECT_TRUE(engine.service->unpublish(kContainerA).ok());
  });
}

TEST(KernelNetwork, ABridgeThatWasThereBeforeStays) {
  in_private_network([] {
    set_loopback_up();
    auto host = *sys::RouteSocket::open();
    sys::RouteBatch make;
    make.add_bridge({"given0", "", 1500});
    ASSERT_TRUE(host.run(make).ok());
    Engine engine;
    engine.network("mine", false, {{kOptionName, "given0"}});
    ASSERT_TRUE(engine.service->remove("mine").ok());
    EXPECT_TRUE(host.link("given0").ok());
    spec::docker::NetworkCreate request;
    request.name = "wrong";
    request.options = {{kOptionName, "lo"}};
    EXPECT_EQ(engine.service->create(request).error().message(), "existing interface lo is not a bridge");
    EXPECT_FALSE(engine.service->inspect("wrong").ok());
  });
}

}  // namespace
}  // namespace skiff::network
