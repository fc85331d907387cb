#pragma once

#include <cstdlib>
#include <map>
#include <set>

#include "content/store.h"
#include "image/store.h"
#include "network/service.h"
#include "snapshot/store.h"
#include "sys/file.h"
#include "volume/service.h"

namespace skiff::engine::testing {

/// Snapshots that are names only, over one folder.
class FakeSnapshots final : public snapshot::Store {
 public:
  std::set<std::string> keys;
  std::map<std::string, std::string> parents;  ///< of those that info() knows
  bool refuses = false;

  FakeSnapshots() {
    std::string pattern = "/tmp/.skiff-fake-XXXXXX";
    if (::mkdtemp(pattern.data())) folder_ = pattern;
  }
  FakeSnapshots(const FakeSnapshots&) = delete;
  FakeSnapshots& operator=(const FakeSnapshots&) = delete;
  ~FakeSnapshots() override { (void)sys::remove_tree(folder_); }

  Result<std::vector<spec::Mount>> prepare(const std::string& key, const std::string&) override {
    if (refuses) return Error(Kind::Exhausted, "no space left on device");
    keys.insert(key);
    return mounts(key, snapshot::Syncs::Honoured);
  }
  Result<std::vector<spec::Mount>> mounts(const std::string&, snapshot::Syncs) override {
    return std::vector<spec::Mount>{
        {"", "overlay", "overlay", {"lowerdir+=/usr/share", "upperdir=/usr/share", "workdir=/tmp"}}};
  }
  Result<std::vector<spec::Mount>> frozen(const std::string& key) override {
    return mounts(key, snapshot::Syncs::Honoured);
  }
  Result<std::string> layer_directory(const std::string&) override { return folder_; }
  Result<std::string> note(const std::string&, std::string_view name) override {
    return folder_ + "/note-" + std::string(name);
  }
  Result<void> commit(const std::string&, const std::string&) override { return {}; }
  Result<void> set_chain(const std::string&, const spec::Digest&, std::uint64_t) override { return {}; }
  Result<std::optional<std::string>> find_chain(const spec::Digest&) override {
    return std::optional<std::string>();
  }
  Result<void> set_damage(const std::string&, const std::string&) override { return {}; }
  Result<void> sound(const std::string&) override { return {}; }
  Result<void> exchange(const std::string&, const std::string&, const std::set<std::string>&) override {
    return {};
  }
  Result<snapshot::Info> info(const std::string& key) override {
    const auto found = parents.find(key);
    if (found == parents.end()) return Error(Kind::NotFound, "no snapshot");
    snapshot::Info info;
    info.key = key;
    info.parent = found->second;
    return info;
  }
  Result<std::vector<snapshot::Info>> list() override {
    std::vector<snapshot::Info> infos;
    for (const auto& key : keys) infos.push_back({key, snapshot::State::Active, "", std::nullopt, 0, ""});
    return infos;
  }
  Result<void> remove(const std::string& key) override {
    keys.erase(key);
    return {};
  }
  Result<std::string> scratch() override { return folder_; }
  Result<void> adopt(const std::string&, const std::string& committed, const std::string&) override {
    keys.insert(committed);
    return {};
  }
  void discard(const std::string&) override {}
  Result<void> adopt_served(const std::string& folder, const std::string& committed,
                            const std::string& parent) override {
    return adopt(folder, committed, parent);
  }
  Result<void> fill(const std::string&, const std::string&) override { return {}; }
  Result<void> end_serving(const std::string&) override { return {}; }
  void set_serve(snapshot::Serve) override {}
  Result<void> sync() override { return {}; }

 private:
  std::string folder_;
};

/// One image, "busybox:latest".
class FakeImages final : public image::Store {
 public:
  explicit FakeImages(content::Store& content) : content_(content) {
    image.id = spec::Digest::of("busybox");
    image.tags = {"busybox:latest"};
    image.config.config.cmd = {"sh"};
    image.config.platform = spec::Platform::host();
  }
  image::Image image;
  FakeSnapshots fake_snapshots;

  Result<image::Image> resolve(std::string_view name) override {
    if (name == "busybox" || name == "busybox:latest" || name == image.id.to_string()) return image;
    return fail(Kind::NotFound, "No such image: {}", name);
  }
  Result<spec::Digest> id_of(std::string_view name) override { return TRY(resolve(name)).id; }
  Result<std::vector<image::Image>> list() override { return std::vector<image::Image>{image}; }
  Result<image::Image> create(const spec::oci::Image&, const std::vector<image::Layer>&,
                              const std::string&) override {
    return image;
  }
  Result<image::Image> create_from(const std::string&, const std::vector<image::Layer>&,
                                   const std::string&) override {
    return image;
  }
  Result<void> tag(const spec::Digest&, const spec::Reference&) override { return {}; }
  Result<void> add_digest(const spec::Digest&, const spec::Reference&,
                          const std::vector<spec::Digest>&) override {
    return {};
  }
  Result<void> make_whole(const std::string&) override { return {}; }
  void set_whole(std::function<Result<void>(const std::string&)>) override {}
  Result<void> add_layer_blobs(const spec::Digest&, const std::vector<spec::Digest>&) override { return {}; }
  Result<std::vector<image::Removal>> remove(
      std::string_view, bool, bool,
      const std::function<std::string(const spec::Digest&, bool*)>& in_use) override {
    bool running = false;
    if (const std::string user = in_use(image.id, &running); !user.empty())
      return fail(Kind::Conflict, "in use by {} (running: {})", user, running);
    return std::vector<image::Removal>{{"busybox:latest", ""}, {"", image.id.to_string()}};
  }
  Result<spec::Digest> pin(std::string_view, bool pinned) override {
    image.pinned = pinned;
    return image.id;
  }
  void used(const spec::Digest&) override {}
  std::shared_ptr<const void> hold(const spec::Digest&) override { return nullptr; }
  std::shared_ptr<const void> hold_layers(const std::vector<std::string>&) override { return nullptr; }
  Result<std::vector<image::Removal>> evict(const spec::Digest& id, Time, const image::InUse&) override {
    return std::vector<image::Removal>{{"", id.to_string()}};
  }
  std::shared_ptr<const void> hold_layers_of(const std::string&) override { return nullptr; }
  void take_back(const spec::Digest&) override {}
  Result<void> sweep_layers() override { return {}; }
  Result<void> remove_layer(const std::string&) override { return {}; }
  void drop_layer(const std::string&) override {}
  Result<image::Layer> import_layer(const sys::Fd&, const std::string&) override {
    return Error(Kind::Unsupported, "no layers here");
  }
  Result<image::Layer> commit_layer(const std::string&, const std::string&) override {
    return Error(Kind::Unsupported, "no layers here");
  }
  Result<std::uint64_t> layer_tar_bytes(const image::Layer&) override {
    return Error(Kind::Unsupported, "no layers here");
  }
  Result<void> write_layer(const image::Layer&, const sys::Fd&) override {
    return Error(Kind::Unsupported, "no layers here");
  }
  Result<void> mend_layer(const std::string&, const std::string&) override {
    return Error(Kind::Unsupported, "no layers here");
  }
  void set_while_still(image::WhileStill) override {}
  const spec::LayerLimits& layer_limits() override { return spec::kDefaultLayerLimits; }
  snapshot::Store& snapshots() override { return fake_snapshots; }
  content::Store& content() override { return content_; }

 private:
  content::Store& content_;
};

/// Networks without links: addresses are counted up, ports are a set.
class FakeNetworks final : public network::Service {
 public:
  std::map<std::pair<std::string, std::string>, network::Endpoint> allocated;  ///< (container, network)
  std::map<std::string, std::vector<network::PortBinding>> ports;
  std::set<std::string> plugged;
  std::set<std::string> dns;
  std::vector<std::string> alive;
  bool has_user_networks = false;

  Result<std::vector<spec::docker::NetworkInspect>> list() override {
    return std::vector<spec::docker::NetworkInspect>{TRY(inspect("bridge"))};
  }
  Result<spec::docker::NetworkInspect> inspect(std::string_view name) override {
    if (name != "bridge" && name != "host" && name != "none" && name != "front")
      return fail(Kind::NotFound, "network {} not found", name);
    spec::docker::NetworkInspect network;
    network.name = name;
    network.id = "id-" + network.name;
    network.driver = "bridge";
    return network;
  }
  Result<std::string> create(const spec::docker::NetworkCreate& request) override {
    return "id-" + request.name;
  }
  Result<void> remove(std::string_view) override { return {}; }
  Result<std::vector<std::string>> prune(
      const std::function<bool(const spec::docker::NetworkInspect&)>&) override {
    return std::vector<std::string>();
  }
  Result<network::Endpoint> allocate(const network::EndpointRequest& request) override {
    const auto network =
        TRY(inspect(request.network.starts_with("id-") ? request.network.substr(3) : request.network));
    network::Endpoint endpoint;
    endpoint.id = "endpoint-" + request.container.substr(0, 4);
    endpoint.network = network.id;
    endpoint.network_name = network.name;
    endpoint.container = request.container;
    endpoint.aliases = request.aliases;
    if (network.name != "host" && network.name != "none") {
      endpoint.ipv4 = fmt::format("172.17.0.{}", 2 + allocated.size());
      endpoint.prefix = 16;
      endpoint.gateway = "172.17.0.1";
    }
    allocated[{request.container, network.id}] = endpoint;
    return endpoint;
  }
  Result<void> release(const std::string& container, const std::string& network) override {
    allocated.erase({container, network});
    return {};
  }
  Result<void> rename(const std::string&, const std::string&) override { return {}; }
  Result<std::vector<network::Endpoint>> endpoints(const std::string& container) override {
    std::vector<network::Endpoint> result;
    for (const auto& [key, endpoint] : allocated)
      if (key.first == container) result.push_back(endpoint);
    return result;
  }
  Result<void> plug(const network::Endpoint& endpoint, const sys::Fd&) override {
    plugged.insert(endpoint.container);
    return {};
  }
  Result<void> unplug(const network::Endpoint& endpoint, const sys::Fd*) override {
    plugged.erase(endpoint.container);
    return {};
  }
  Result<std::vector<network::PortBinding>> publish(const network::Endpoint& endpoint,
                                                    std::vector<network::PortBinding> wanted) override {
    for (auto& port : wanted) {
      if (port.host_port == 0) port.host_port = 32768;
      for (const auto& [container, taken] : ports)
        for (const auto& other : taken)
          if (other.host_port == port.host_port)
            return fail(Kind::Conflict, "Bind for 0.0.0.0:{} failed: port is already allocated",
                        port.host_port);
    }
    ports[endpoint.container] = wanted;
    return wanted;
  }
  Result<void> unpublish(const std::string& container) override {
    ports.erase(container);
    return {};
  }
  Result<std::vector<network::PortBinding>> published(const std::string& container) override {
    return ports[container];
  }
  Result<std::vector<sys::Fd>> open_dns(const std::string& container, const sys::Fd&) override {
    dns.insert(container);
    std::vector<sys::Fd> fds;
    fds.emplace_back(::dup(0));
    return fds;
  }
  Result<void> serve_dns(const std::string& container, std::vector<sys::Fd>,
                         const std::vector<std::string>&) override {
    dns.insert(container);
    return {};
  }
  void stop_dns(const std::string& container) override { dns.erase(container); }
  bool has_dns(const std::string& network) override { return network == "id-front"; }
  bool has_chosen_subnet(const std::string& network) override { return network == "front"; }
  std::string host_gateway() override { return "172.17.0.1"; }
  Result<void> reconcile(const std::vector<std::string>& living) override {
    alive = living;
    return {};
  }
  void shutdown() override {}
};

class FakeVolumes final : public volume::Service {
 public:
  std::map<std::string, spec::docker::Volume> volumes;
  std::map<std::string, std::set<std::string>> held;  ///< by container
  bool failing = false;                               ///< nothing is given back

  Result<spec::docker::Volume> create(const spec::docker::VolumeCreate& request) override {
    if (request.name.find('/') != std::string::npos)
      return fail(Kind::InvalidArgument, "create {}: includes invalid characters", request.name);
    const std::string name =
        request.name.empty() ? "anonymous" + std::to_string(volumes.size()) : request.name;
    auto& volume = volumes[name];
    volume.name = name;
    volume.mountpoint = "/volumes/" + name;
    return volume;
  }
  Result<spec::docker::Volume> inspect(const std::string& name) override {
    const auto found = volumes.find(name);
    if (found == volumes.end()) return fail(Kind::NotFound, "get {}: no such volume", name);
    return found->second;
  }
  Result<std::vector<spec::docker::Volume>> list() override {
    std::vector<spec::docker::Volume> all;
    for (const auto& [name, volume] : volumes) all.push_back(volume);
    return all;
  }
  Result<void> acquire(const std::string& name, const std::string& container) override {
    held[container].insert(name);
    return {};
  }
  Result<void> release(const std::string& container) override {
    if (failing) return Error(Kind::Internal, "disk I/O error");
    held.erase(container);
    return {};
  }
  Result<std::vector<std::string>> users(const std::string& name) override {
    std::vector<std::string> result;
    for (const auto& [container, names] : held)
      if (names.contains(name)) result.push_back(container);
    return result;
  }
  Result<spec::Mount> mount_of(const std::string& name) override {
    return spec::Mount{"", "bind", "/volumes/" + name, {"rbind"}};
  }
  Result<std::uint64_t> size(const std::string&) override { return std::uint64_t{0}; }
  Result<void> remove(const std::string& name, bool) override {
    if (!TRY(users(name)).empty()) return fail(Kind::Conflict, "remove {}: volume is in use", name);
    volumes.erase(name);
    return {};
  }
  Result<Pruned> prune(bool, const std::function<bool(const spec::docker::Volume&)>&) override {
    return Pruned{};
  }
  Result<bool> is_empty(const std::string&) override { return false; }
};

}  // namespace skiff::engine::testing
