#include "network/kernel.h"

#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <map>

#include "base/ids.h"
#include "base/log.h"
#include "base/thread.h"
#include "sys/file.h"
#include "sys/net/route.h"

namespace skiff::network {
namespace {

using sys::Fd;
using sys::Ipv4;
using sys::NftBatch;
using sys::NftSocket;
using sys::Prefix;
using sys::RouteBatch;
using sys::RouteSocket;

/// Written on the bridges that this program makes, so that they are told from those it was given.
constexpr const char* kAlias = "skiff";

Result<void> set_ipv4(const std::string& link, const char* name, const char* value) {
  return sys::write_existing(fmt::format("/proc/sys/net/ipv4/conf/{}/{}", link, name), value);
}

/// Networks here are IPv4: without this the kernel gives every link a link-local address and talks to its
/// neighbours.
void silence_ipv6(const std::string& link) {
  const std::string path = fmt::format("/proc/sys/net/ipv6/conf/{}/disable_ipv6", link);
  if (const auto done = sys::write_existing(path, "1"); !done.ok() && done.error().kind() != Kind::NotFound)
    log::debug("{}", done.error().message());  // /proc/sys may be read-only; the link works all the same
}

Result<std::uint16_t> port_of(const Fd& socket) {
  sockaddr_in name{};
  socklen_t size = sizeof name;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&name), &size) != 0)
    return fail_errno("getsockname");
  return ntohs(name.sin_port);
}

Result<Fd> dns_socket(int socket_type) {
  Fd fd(::socket(AF_INET, socket_type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno("DNS socket");
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = Ipv4{0x7f00000b}.network_order();
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0)
    return fail_errno("bind 127.0.0.11");
  if (socket_type == SOCK_STREAM && ::listen(fd.get(), 64) != 0) return fail_errno("listen on 127.0.0.11");
  return fd;
}

class LinuxKernel final : public Kernel {
 public:
  LinuxKernel(std::string table, NftSocket nft) : table_(std::move(table)), nft_(std::move(nft)) {}

  Result<std::vector<Prefix>> routes(const std::vector<std::string>& own) override {
    auto socket = TRY(RouteSocket::open());
    std::map<int, std::string> names;
    for (const auto& link : TRY(socket.links())) names[link.index] = link.name;
    std::vector<Prefix> out;
    for (const auto& route : TRY(socket.routes()))
      if (std::find(own.begin(), own.end(), names[route.link]) == own.end()) out.push_back(route.destination);
    return out;
  }

  Result<std::optional<Prefix>> bridge_address(const std::string& name) override {
    auto socket = TRY(RouteSocket::open());
    const auto link = socket.link(name);
    if (!link.ok()) return std::optional<Prefix>();
    for (const auto& address : TRY(socket.addresses()))
      if (address.link == link->index) return std::optional<Prefix>(address.prefix);
    return std::optional<Prefix>();
  }

  Result<void> ensure_bridge(const BridgeDefinition& bridge) override {
    auto socket = TRY(RouteSocket::open());
    TRY(ensure(socket, bridge));
    return {};
  }

  Result<void> remove_bridge(const std::string& name) override {
    auto socket = TRY(RouteSocket::open());
    const auto link = socket.link(name);
    if (!link.ok()) return link.error().kind() == Kind::NotFound ? Result<void>() : link.error();
    if (link->alias != kAlias) return {};
    RouteBatch batch;
    batch.delete_link(name);
    return socket.run(batch);
  }

  Result<void> remove_link(const std::string& name) override {
    auto socket = TRY(RouteSocket::open());
    RouteBatch batch;
    batch.delete_link(name);
    return socket.run(batch);
  }

  Result<std::vector<std::string>> ports_of(const std::vector<std::string>& bridges) override {
    auto socket = TRY(RouteSocket::open());
    const auto links = TRY(socket.links());
    std::map<int, bool> ours;
    for (const auto& link : links)
      ours[link.index] =
          link.alias == kAlias && std::find(bridges.begin(), bridges.end(), link.name) != bridges.end();
    std::vector<std::string> out;
    for (const auto& link : links)
      if (link.master != 0 && ours[link.master] && link.kind == "veth") out.push_back(link.name);
    return out;
  }

  Result<void> plug(const PlugRequest& request, const Fd& network_namespace) override {
    auto host = TRY(RouteSocket::open());
    return sys::in_network_namespace(network_namespace,
                                     [&] { return plug_inside(host, request, network_namespace); });
  }

  Result<void> add_default_route(const std::string& interface, Ipv4 gateway,
                                 const Fd& network_namespace) override {
    return sys::in_network_namespace(network_namespace, [&]() -> Result<void> {
      auto socket = TRY(RouteSocket::open());
      RouteBatch batch;
      batch.add_default_route(TRY(socket.link(interface)).index, gateway);
      return socket.run(batch);
    });
  }

  Result<void> rebuild_firewall(const std::vector<firewall::Bridge>& bridges,
                                const std::vector<PublishedPort>& ports) override {
    NftBatch batch(table_);
    firewall::rebuild(batch, bridges, ports);
    const MutexLock lock(mutex_);
    const auto done = nft_.commit(batch);
    if (done.ok() || done.error().kind() == Kind::Forbidden) return done;
    // A table of another layout: what an earlier release left. Replacing it is still one transaction.
    NftBatch fresh(table_);
    fresh.delete_table();
    firewall::rebuild(fresh, bridges, ports);
    return nft_.commit(fresh);
  }

  Result<void> change_firewall(const std::function<void(NftBatch&)>& change) override {
    NftBatch batch(table_);
    change(batch);
    const MutexLock lock(mutex_);
    return nft_.commit(batch);
  }

  Result<void> remove_firewall() override {
    return change_firewall([](NftBatch& batch) { batch.delete_table(); });
  }

  Result<Fd> bind_port(const std::string& protocol, Ipv4 address, std::uint16_t port) override {
    return bind_host_port(protocol, address, port);
  }

  Result<std::vector<Fd>> open_dns(const Fd& network_namespace) override {
    std::vector<Fd> sockets;
    TRY(sys::in_network_namespace(network_namespace, [&]() -> Result<void> {
      sockets.push_back(TRY(dns_socket(SOCK_DGRAM)));
      sockets.push_back(TRY(dns_socket(SOCK_STREAM)));
      NftBatch batch(table_);
      firewall::add_dns_redirect(batch, TRY(port_of(sockets[0])), TRY(port_of(sockets[1])));
      auto nft = TRY(NftSocket::open());
      return nft.commit(batch);
    }));
    return sockets;
  }

 private:
  /// The bridge's link index; makes it when it is not there.
  static Result<int> ensure(RouteSocket& socket, const BridgeDefinition& bridge) {
    auto link = socket.link(bridge.link);
    if (!link.ok()) {
      if (link.error().kind() != Kind::NotFound) return link.error();
      RouteBatch make;
      // 02:42: locally administered, like the engine's endpoints; fixed, or it would follow the lowest
      // port's.
      make.add_bridge({bridge.link, *sys::parse_mac("02:42:" + random_mac_tail()), bridge.mtu});
      TRY(socket.run(make));
      link = socket.link(bridge.link);
      if (!link.ok()) return link.error();
      RouteBatch mark;
      mark.set_alias(link->index, bridge.link, kAlias);
      TRY(socket.run(mark));
      silence_ipv6(bridge.link);
    } else if (link->kind != "bridge") {
      return fail(Kind::Internal, "existing interface {} is not a bridge", bridge.link);
    }
    RouteBatch configure;
    configure.add_address(link->index, bridge.address);
    configure.set_up(link->index, bridge.link);
    TRY(socket.run(configure));
    TRY(set_ipv4(bridge.link, "route_localnet", "1"));
    return link->index;
  }

  static std::string random_mac_tail() {
    const std::string digits = random_hex(4);
    std::string out;
    for (std::size_t i = 0; i < digits.size(); i += 2) out += (i ? ":" : "") + digits.substr(i, 2);
    return out;
  }

  /// Runs on a thread inside the container's namespace; `host` still speaks to the host's.
  static Result<void> plug_inside(RouteSocket& host, const PlugRequest& request,
                                  const Fd& network_namespace) {
    auto inside = TRY(RouteSocket::open());
    auto bridge = host.link(request.bridge.link);
    if (!bridge.ok()) return bridge.error().with_context("network bridge is gone");
    RouteBatch outside;
    outside.add_veth({request.host_link, request.interface, request.mac, request.bridge.mtu, bridge->index,
                      &network_namespace});
    outside.set_port(request.host_link, true, request.isolated);
    TRY(host.run(outside));
    const auto configured = configure_inside(inside, request);
    if (!configured.ok()) {
      RouteBatch undo;
      undo.delete_link(request.host_link);
      if (const auto undone = host.run(undo); !undone.ok()) log::warning("{}", undone.error().message());
    }
    return configured;
  }

  static Result<void> configure_inside(RouteSocket& inside, const PlugRequest& request) {
    const int index = TRY(inside.link(request.interface)).index;
    silence_ipv6(request.interface);
    // Tells bridge and neighbours at once where this address lives now: another container may have had it
    // just before.
    TRY(set_ipv4(request.interface, "arp_notify", "1"));
    RouteBatch batch;
    batch.add_address(index, request.address);
    batch.set_up(index, request.interface);
    if (request.default_route) batch.add_default_route(index, request.bridge.address.address);
    return inside.run(batch);
  }

  std::string table_;
  Mutex mutex_;
  NftSocket nft_ GUARDED_BY(mutex_);
};

}  // namespace

Result<std::unique_ptr<Kernel>> Kernel::open(const spec::EngineConfig& config) {
  auto kernel = std::make_unique<LinuxKernel>(config.firewall_table, TRY(NftSocket::open()));
  const auto on = sys::read_file("/proc/sys/net/ipv4/ip_forward");
  if (!on.ok() || !on->starts_with("1")) TRY(sys::write_existing("/proc/sys/net/ipv4/ip_forward", "1"));
  return std::unique_ptr<Kernel>(std::move(kernel));
}

}  // namespace skiff::network
