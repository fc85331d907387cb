#include "client/client.h"

namespace skiff::client {

namespace {

std::string network_path(std::string_view name, std::string_view action = {}) {
  return fmt::format("/networks/{}{}", encode_path(name), action);
}

std::string volume_path(std::string_view name) { return fmt::format("/volumes/{}", encode_path(name)); }

}  // namespace

Result<std::vector<docker::NetworkInspect>> Client::networks(const Filters& filters) {
  return call_list<docker::NetworkInspect>("GET", Query("/networks").filters(filters).text());
}

Result<json::Value> Client::inspect_network(std::string_view name, bool verbose) {
  return call_json("GET", Query(network_path(name)).flag("verbose", verbose).text());
}

Result<docker::NetworkCreated> Client::create_network(const docker::NetworkCreate& request) {
  return call_as<docker::NetworkCreated>("POST", "/networks/create", json::encode(request));
}

Result<void> Client::remove_network(std::string_view name) {
  (void)TRY(call("DELETE", network_path(name)));
  return {};
}

Result<void> Client::connect_network(std::string_view name, const docker::NetworkConnect& request) {
  (void)TRY(call("POST", network_path(name, "/connect"), json::encode(request)));
  return {};
}

Result<void> Client::disconnect_network(std::string_view name, const docker::NetworkDisconnect& request) {
  (void)TRY(call("POST", network_path(name, "/disconnect"), json::encode(request)));
  return {};
}

Result<docker::NetworkPruneReport> Client::prune_networks(const Filters& filters) {
  return call_as<docker::NetworkPruneReport>("POST", Query("/networks/prune").filters(filters).text());
}

Result<docker::VolumeList> Client::volumes(const Filters& filters) {
  return call_as<docker::VolumeList>("GET", Query("/volumes").filters(filters).text());
}

Result<json::Value> Client::inspect_volume(std::string_view name) {
  return call_json("GET", volume_path(name));
}

Result<docker::Volume> Client::create_volume(const docker::VolumeCreate& request) {
  return call_as<docker::Volume>("POST", "/volumes/create", json::encode(request));
}

Result<void> Client::remove_volume(std::string_view name, bool force) {
  (void)TRY(call("DELETE", Query(volume_path(name)).flag("force", force).text()));
  return {};
}

Result<docker::VolumePruneReport> Client::prune_volumes(const Filters& filters) {
  return call_as<docker::VolumePruneReport>("POST", Query("/volumes/prune").filters(filters).text());
}

}  // namespace skiff::client
