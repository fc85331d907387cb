#include "client/client.h"

namespace skiff::client {

Result<json::Value> Client::version_info() { return call_json("GET", "/version"); }

Result<json::Value> Client::info() { return call_json("GET", "/info"); }

Result<docker::DiskUsage> Client::disk_usage() { return call_as<docker::DiskUsage>("GET", "/system/df"); }

Result<Stream> Client::events(std::string_view since, std::string_view until, const Filters& filters) {
  http::ClientRequest request;
  request.method = "GET";
  request.target = Query("/events").filters(filters).add_if("since", since).add_if("until", until).text();
  return open(std::move(request));
}

Result<Stream> Client::fsck(bool repair, const std::string& auths) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = Query("/skiff/system/fsck").flag("repair", repair).text();
  request.fields.add("X-Registry-Config", auths);
  return open(std::move(request));
}

Result<docker::BuildPruneReport> Client::prune_build_cache(const Filters& filters, bool all) {
  return call_as<docker::BuildPruneReport>("POST",
                                           Query("/build/prune").flag("all", all).filters(filters).text());
}

}  // namespace skiff::client
