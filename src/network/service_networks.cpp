#include <algorithm>

#include "base/ids.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/undo.h"
#include "network/service_impl.h"

namespace skiff::network {

using meta::Durability;
using spec::docker::NetworkInspect;
using sys::Ipv4;
using sys::Prefix;

namespace {

constexpr const char* kDefaultName = "bridge";

bool is_predefined(std::string_view name) { return name == kDefaultName || name == "host" || name == "none"; }

/// Logs what an undoing step could not do: there is nobody to tell any more.
void note(const Result<void>& result) {
  if (!result.ok()) log::warning("{}", result.error().message());
}

NetworkRecord predefined(const char* name, const char* driver) {
  NetworkRecord record;
  record.shown.name = name;
  record.shown.id = random_id();
  record.shown.created = now();
  record.shown.driver = driver;
  return record;
}

}  // namespace

std::string firewall_table(const spec::EngineConfig& config) {
  if (!config.firewall_table.empty()) return config.firewall_table;
  return config.bridge == spec::EngineConfig{}.bridge ? "skiff" : "skiff-" + config.bridge;
}

ServiceImpl::ServiceImpl(spec::EngineConfig config, meta::Database& database, std::unique_ptr<Kernel> kernel)
    : config_(std::move(config)),
      database_(database),
      kernel_(std::move(kernel)),
      reservations_([this](const std::string& protocol, Ipv4 address,
                           std::uint16_t port) { return kernel_->bind_port(protocol, address, port); },
                    host_ephemeral_ports()) {}

Result<std::unique_ptr<Service>> Service::open(const spec::EngineConfig& config, meta::Database& database) {
  spec::EngineConfig own = config;
  own.firewall_table = firewall_table(config);
  auto kernel = TRY(Kernel::open(own));
  auto service = std::make_unique<ServiceImpl>(std::move(own), database, std::move(kernel));
  TRY_CONTEXT(service->start(), "networks");
  return std::unique_ptr<Service>(std::move(service));
}

Result<void> ServiceImpl::start() {
  const MutexLock lock(mutex_);
  TRY(load());
  TRY(add_predefined());
  for (const auto& [id, network] : networks_) {
    if (!network.is_bridge()) continue;
    const auto made = kernel_->ensure_bridge(bridge_of(network));
    if (made.ok()) continue;
    if (network.record.shown.name == kDefaultName) return made.error();
    log::warning("network {}: {}", network.record.shown.name, made.error().message());
  }
  for (const auto& [container, record] : ports_)
    for (const auto& port : record.ports)
      // Another program may have it by now; the firewall still leads it to the container, as before.
      if (const auto held = reservations_.retake(port); !held.ok())
        log::warning("{}", held.error().message());
  return rebuild_firewall();
}

Result<void> ServiceImpl::load() {
  std::vector<NetworkRecord> networks;
  std::vector<EndpointRecord> endpoints;
  TRY(database_.read([&](meta::Transaction& transaction) -> Result<void> {
    for (const auto& [key, text] : TRY(transaction.scan(kNetworkTable)))
      networks.push_back(TRY(json::decode<NetworkRecord>(text)));
    for (const auto& [key, text] : TRY(transaction.scan(kEndpointTable)))
      endpoints.push_back(TRY(json::decode<EndpointRecord>(text)));
    ports_.clear();
    for (const auto& [key, text] : TRY(transaction.scan(kPortTable)))
      ports_[key] = TRY(json::decode<PortRecord>(text));
    return {};
  }));
  for (auto& record : networks) TRY(read_network(std::move(record)));
  for (auto& record : endpoints) {
    const auto network = networks_.find(record.endpoint.network);
    if (network == networks_.end()) continue;
    if (const auto address = Ipv4::parse(record.endpoint.ipv4)) network->second.space.take(*address);
    last_order_ = std::max(last_order_, record.order);
    seats_[{record.endpoint.container, record.endpoint.network}] = {record, false};
  }
  return {};
}

Result<void> ServiceImpl::read_network(NetworkRecord record) {
  Network network;
  if (record.shown.driver == "bridge") {
    if (record.shown.ipam.config.empty())
      return fail(Kind::DataLoss, "network {}: no subnet", record.shown.name);
    const auto addressing = TRY(read_addressing(record.shown.ipam.config.front()));
    network.options = TRY(read_bridge_options(record.shown.options));
    network.space = AddressSpace(addressing.subnet, addressing.range);
    for (const auto address : addressing.reserved) network.space.take(address);
    network.gateway = addressing.gateway.value_or(Ipv4::parse(record.gateway).value_or(Ipv4{}));
    network.space.take(network.gateway);
  }
  const std::string id = record.shown.id;
  network.record = std::move(record);
  networks_[id] = std::move(network);
  return {};
}

Result<void> ServiceImpl::add_predefined() {
  for (const auto& [name, driver] : {std::pair{"host", "host"}, std::pair{"none", "null"}}) {
    if (find(name).ok()) continue;
    auto record = predefined(name, driver);
    TRY(put(kNetworkTable, record.shown.id, json::encode(record), Durability::Full));
    TRY(read_network(std::move(record)));
  }
  return add_default_bridge();
}

/// Where the default bridge lies: as configured, as before, as the link that stands, else a free subnet.
Result<Prefix> ServiceImpl::default_bridge_address(const Network* known) {
  if (!config_.bip.empty()) {
    const auto wanted = Prefix::parse(config_.bip);
    if (!wanted || wanted->length > 30)
      return fail(Kind::InvalidArgument, "invalid bip {}: an address with prefix length is wanted",
                  config_.bip);
    return *wanted;
  }
  if (const auto standing = TRY(kernel_->bridge_address(config_.bridge))) return *standing;
  if (known) {
    const Prefix before{known->gateway, known->space.subnet().length};
    const auto routes = TRY(kernel_->routes(links()));
    if (std::none_of(routes.begin(), routes.end(),
                     [&](const Prefix& route) { return route.overlaps(before); }))
      return before;
  }
  const Prefix subnet = TRY(choose_subnet());
  return Prefix{{subnet.first().value + 1}, subnet.length};
}

Result<void> ServiceImpl::add_default_bridge() {
  Network* known = default_bridge();
  if (config_.bridge == "none") {
    if (known) TRY(remove_network(known->record.shown.id));
    return {};
  }
  const Prefix address = TRY(default_bridge_address(known));
  NetworkRecord record = known ? known->record : predefined(kDefaultName, "bridge");
  record.link = config_.bridge;
  record.shown.ipam.config = {{address.subnet().text(), "", address.address.text(), {}}};
  record.shown.options = {{kOptionDefault, "true"},      {kOptionIcc, "true"},
                          {kOptionMasquerade, "true"},   {kOptionHostBinding, "0.0.0.0"},
                          {kOptionName, config_.bridge}, {kOptionMtu, std::to_string(config_.mtu)}};
  if (known && json::encode(known->record) == json::encode(record)) return {};
  TRY(put(kNetworkTable, record.shown.id, json::encode(record), Durability::Full));
  return read_network(std::move(record));
}

ServiceImpl::Network* ServiceImpl::default_bridge() {
  for (auto& [id, network] : networks_)
    if (network.record.shown.name == kDefaultName) return &network;
  return nullptr;
}

std::vector<Prefix> ServiceImpl::subnets() {
  std::vector<Prefix> out;
  for (const auto& [id, network] : networks_)
    if (network.is_bridge()) out.push_back(network.space.subnet());
  return out;
}

std::vector<std::string> ServiceImpl::links() {
  std::vector<std::string> out;
  for (const auto& [id, network] : networks_)
    if (network.is_bridge()) out.push_back(network.record.link);
  return out;
}

Result<Prefix> ServiceImpl::choose_subnet() {
  auto taken = subnets();
  for (const auto& route : TRY(kernel_->routes(links()))) taken.push_back(route);
  return network::choose_subnet(TRY(subnet_pools(config_)), taken);
}

BridgeDefinition ServiceImpl::bridge_of(const Network& network) const {
  return {network.record.link,
          {network.gateway, network.space.subnet().length},
          network.options.mtu > 0 ? network.options.mtu : config_.mtu};
}

firewall::Bridge ServiceImpl::firewall_of(const Network& network) {
  const bool internal = network.record.shown.internal;
  return {network.record.link, internal, network.options.masquerade && !internal};
}

Result<void> ServiceImpl::rebuild_firewall() {
  std::vector<firewall::Bridge> bridges;
  for (const auto& [id, network] : networks_)
    if (network.is_bridge()) bridges.push_back(firewall_of(network));
  std::vector<PublishedPort> ports;
  for (const auto& [container, record] : ports_)
    ports.insert(ports.end(), record.ports.begin(), record.ports.end());
  return kernel_->rebuild_firewall(bridges, ports);
}

Result<void> ServiceImpl::change_firewall(const std::function<void(sys::NftBatch&)>& change) {
  const auto changed = kernel_->change_firewall(change);
  if (changed.ok() || (changed.error().kind() != Kind::NotFound && changed.error().kind() != Kind::Conflict))
    return changed;
  // Somebody took the table or its elements away. Memory knows what belongs there, except what was just being
  // changed.
  TRY(rebuild_firewall());
  const auto again = kernel_->change_firewall(change);
  return again.ok() || again.error().kind() == Kind::NotFound ? Result<void>() : again;
}

Result<ServiceImpl::Network*> ServiceImpl::find(std::string_view name) {
  if (const auto found = networks_.find(std::string(name)); found != networks_.end()) return &found->second;
  for (auto& [id, network] : networks_)
    if (network.record.shown.name == name) return &network;
  std::vector<Network*> matches;
  for (auto& [id, network] : networks_)
    if (!name.empty() && std::string_view(id).starts_with(name)) matches.push_back(&network);
  if (matches.size() > 1)
    return fail(Kind::InvalidArgument, "network {} is ambiguous ({} matches found based on ID prefix)", name,
                matches.size());
  if (matches.empty()) return fail(Kind::NotFound, "network {} not found", name);
  return matches.front();
}

NetworkInspect ServiceImpl::shown(const Network& network) {
  NetworkInspect out = network.record.shown;
  for (const auto& [key, seat] : seats_) {
    if (key.second != out.id || !seat.plugged) continue;
    const Endpoint& endpoint = seat.record.endpoint;
    const std::string address =
        endpoint.ipv4.empty() ? "" : fmt::format("{}/{}", endpoint.ipv4, endpoint.prefix);
    out.containers[key.first] = {endpoint.container_name, endpoint.id, endpoint.mac, address, ""};
  }
  return out;
}

Result<std::vector<NetworkInspect>> ServiceImpl::list() {
  const MutexLock lock(mutex_);
  std::vector<NetworkInspect> out;
  for (const auto& [id, network] : networks_) out.push_back(shown(network));
  std::sort(out.begin(), out.end(),
            [](const NetworkInspect& a, const NetworkInspect& b) { return a.created < b.created; });
  return out;
}

Result<NetworkInspect> ServiceImpl::inspect(std::string_view name) {
  const MutexLock lock(mutex_);
  return shown(*TRY(find(name)));
}

Result<NetworkRecord> ServiceImpl::define(const spec::docker::NetworkCreate& request) {
  NetworkRecord record;
  NetworkInspect& network = record.shown;
  network.name = request.name;
  network.id = random_id();
  network.created = now();
  network.driver = "bridge";
  network.internal = request.internal;
  network.attachable = request.attachable;
  network.options = request.options;
  network.labels = request.labels;
  const auto options = TRY(read_bridge_options(request.options));
  record.link = options.link.empty() ? default_link_name(network.id) : options.link;

  spec::docker::IpamConfig config;
  if (request.ipam) {
    network.ipam.options = request.ipam->options;
    if (!request.ipam->config.empty()) {
      config = request.ipam->config.front();
      record.own_subnet = true;
    }
  }
  if (!record.own_subnet) config.subnet = TRY(choose_subnet()).text();
  const auto addressing = TRY(read_addressing(config));
  const auto taken = subnets();
  if (std::any_of(taken.begin(), taken.end(),
                  [&](const Prefix& other) { return other.overlaps(addressing.subnet); }))
    return fail(Kind::Forbidden, "invalid pool request: Pool overlaps with other one on this address space");
  if (!addressing.gateway) {
    AddressSpace space(addressing.subnet, addressing.range);
    for (const auto address : addressing.reserved) space.take(address);
    const auto gateway = space.take_any();
    if (!gateway) return fail(Kind::Exhausted, "no available IPv4 addresses on this network's address pools");
    (record.own_subnet ? record.gateway : config.gateway) = gateway->text();
  }
  network.ipam.config = {config};
  return record;
}

Result<void> ServiceImpl::check_link(const NetworkRecord& record) {
  for (const auto& [id, other] : networks_)
    if (other.is_bridge() && other.record.link == record.link)
      return fail(
          Kind::Forbidden,
          "cannot create network {} ({}): conflicts with network {} ({}): networks have same bridge name",
          record.shown.id, record.link, id, record.link);
  return {};
}

Result<std::string> ServiceImpl::create(const spec::docker::NetworkCreate& request) {
  TRY(check_request(request));
  const MutexLock lock(mutex_);
  for (const auto& [id, other] : networks_)
    if (other.record.shown.name == request.name)
      return fail(Kind::Conflict, "network with name {} already exists", request.name);
  const NetworkRecord record = TRY(define(request));
  TRY(check_link(record));
  const std::string id = record.shown.id;

  UndoStack undo;
  TRY(read_network(record));
  undo.add([&]() NO_THREAD_SAFETY_ANALYSIS { networks_.erase(id); });
  const Network& network = networks_.at(id);
  TRY(kernel_->ensure_bridge(bridge_of(network)));
  undo.add([&] { note(kernel_->remove_bridge(record.link)); });
  const auto in_firewall = firewall_of(network);
  TRY(change_firewall([&](sys::NftBatch& batch) { firewall::add_bridge(batch, in_firewall); }));
  undo.add([this, in_firewall]() NO_THREAD_SAFETY_ANALYSIS {
    note(change_firewall([&](sys::NftBatch& batch) { firewall::remove_bridge(batch, in_firewall); }));
  });
  TRY(put(kNetworkTable, id, json::encode(record), Durability::Full));
  undo.dismiss();
  return id;
}

Result<void> ServiceImpl::remove_network(const std::string& id) {
  const auto found = networks_.find(id);
  TRY(erase(kNetworkTable, id, Durability::Full));
  const Network network = std::move(found->second);
  networks_.erase(found);
  if (!network.is_bridge()) return {};
  // The definition is gone for good; what the kernel still has is cleaned at the next start at the latest.
  note(change_firewall([&](sys::NftBatch& batch) { firewall::remove_bridge(batch, firewall_of(network)); }));
  note(kernel_->remove_bridge(network.record.link));
  return {};
}

Result<void> ServiceImpl::remove(std::string_view name) {
  const MutexLock lock(mutex_);
  const Network& network = *TRY(find(name));
  const NetworkInspect& known = network.record.shown;
  if (is_predefined(known.name))
    return fail(Kind::Forbidden, "{} is a pre-defined network and cannot be removed", known.name);
  std::vector<std::string> active;
  for (const auto& [key, seat] : seats_)
    if (key.second == known.id)
      active.push_back(fmt::format("name:{} id:{}", quote(seat.record.endpoint.container_name),
                                   quote(short_id(seat.record.endpoint.id))));
  if (!active.empty())
    return fail(Kind::Forbidden, "error while removing network: network {} has active endpoints ({})",
                known.name, join(active, ", "));
  return remove_network(std::string(known.id));
}

Result<std::vector<std::string>> ServiceImpl::prune(
    const std::function<bool(const NetworkInspect&)>& wanted) {
  const MutexLock lock(mutex_);
  std::set<std::string> used;
  for (const auto& [key, seat] : seats_) used.insert(key.second);
  std::vector<NetworkInspect> unused;
  for (const auto& [id, network] : networks_)
    if (!is_predefined(network.record.shown.name) && !used.contains(id) &&
        (!wanted || wanted(network.record.shown)))
      unused.push_back(network.record.shown);
  std::vector<std::string> names;
  for (const auto& network : unused) {
    TRY(remove_network(network.id));
    names.push_back(network.name);
  }
  return names;
}

void ServiceImpl::shutdown() {
  const MutexLock lock(mutex_);
  const bool alive =
      std::any_of(seats_.begin(), seats_.end(), [](const auto& entry) { return entry.second.plugged; });
  if (alive) return;
  for (const auto& link : links()) note(kernel_->remove_bridge(link));
  note(kernel_->remove_firewall());
}

Result<void> ServiceImpl::put(const char* table, const std::string& key, const std::string& record,
                              Durability durability) {
  return database_.write([&](meta::Transaction& transaction) { return transaction.put(table, key, record); },
                         durability);
}

Result<void> ServiceImpl::erase(const char* table, const std::string& key, Durability durability) {
  return database_.write([&](meta::Transaction& transaction) { return transaction.erase(table, key); },
                         durability);
}

}  // namespace skiff::network
