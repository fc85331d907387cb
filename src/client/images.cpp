#include "client/client.h"

namespace skiff::client {

Result<std::vector<docker::ImageSummary>> Client::images(bool all, bool digests, const Filters& filters) {
  return call_list<docker::ImageSummary>(
      "GET", Query("/images/json").flag("all", all).flag("digests", digests).filters(filters).text());
}

Result<json::Value> Client::inspect_image(std::string_view name) {
  return call_json("GET", fmt::format("/images/{}/json", encode_path(name)));
}

Result<std::vector<docker::ImageHistoryItem>> Client::image_history(std::string_view name) {
  return call_list<docker::ImageHistoryItem>("GET", fmt::format("/images/{}/history", encode_path(name)));
}

Result<void> Client::tag_image(std::string_view source, std::string_view repository, std::string_view tag) {
  const Query query =
      Query(fmt::format("/images/{}/tag", encode_path(source))).add("repo", repository).add_if("tag", tag);
  (void)TRY(call("POST", query.text()));
  return {};
}

Result<std::vector<docker::ImageDeleteItem>> Client::remove_image(std::string_view name, bool force,
                                                                  bool prune) {
  return call_list<docker::ImageDeleteItem>("DELETE", Query(fmt::format("/images/{}", encode_path(name)))
                                                          .flag("force", force)
                                                          .flag("noprune", !prune)
                                                          .text());
}

Result<docker::ImagePruneReport> Client::prune_images(const Filters& filters) {
  return call_as<docker::ImagePruneReport>("POST", Query("/images/prune").filters(filters).text());
}

Result<Stream> Client::pull(std::string_view repository, std::string_view tag, std::string_view platform) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = Query("/images/create")
                       .add("fromImage", repository)
                       .add_if("tag", tag)
                       .add_if("platform", platform)
                       .text();
  return open(std::move(request));
}

Result<Stream> Client::build(const Query& parameters, http::BodySource context) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = parameters.text();
  request.content_type = "application/x-tar";
  request.source = std::move(context);
  return open(std::move(request));
}

Result<Stream> Client::bootstrap(const Query& parameters) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = parameters.text();
  return open(std::move(request));
}

}  // namespace skiff::client
