#include "base/strings.h"
#include "client/client.h"

namespace skiff::client {

Result<std::vector<docker::ImageSummary>> Client::images(bool all, bool digests, const Filters& filters) {
  return call_list<docker::ImageSummary>(
      "GET", Query("/images/json").flag("all", all).flag("digests", digests).filters(filters).text());
}

Result<json::Value> Client::inspect_image(std::string_view name, std::string_view platform) {
  return call_json(
      "GET", Query(fmt::format("/images/{}/json", encode_path(name))).add_if("platform", platform).text());
}

Result<std::vector<docker::ImageHistoryItem>> Client::image_history(std::string_view name,
                                                                    std::string_view platform) {
  return call_list<docker::ImageHistoryItem>(
      "GET", Query(fmt::format("/images/{}/history", encode_path(name))).add_if("platform", platform).text());
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

Result<Stream> Client::pull(const spec::Reference& reference, std::string_view platform,
                            const std::string& auth) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = Query("/images/create")
                       .add("fromImage", reference.familiar_name())
                       .add_if("tag", reference.digest() ? reference.digest()->to_string() : reference.tag())
                       .add_if("platform", to_lower(platform))
                       .text();
  request.fields.add("X-Registry-Auth", auth);
  return open(std::move(request));
}

Result<Stream> Client::push(const spec::Reference& reference, std::string_view platform,
                            const std::string& auth) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = Query(fmt::format("/images/{}/push", encode_path(reference.familiar_name())))
                       .add_if("tag", reference.tag())
                       .add_if("platform", platform)
                       .text();
  request.fields.add("X-Registry-Auth", auth);
  return open(std::move(request));
}

Result<docker::AuthAnswer> Client::login(const docker::AuthConfig& config) {
  return call_as<docker::AuthAnswer>("POST", "/auth", json::encode(config));
}

Result<Stream> Client::build(const Query& parameters, const std::string& auths, http::BodySource context) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = parameters.text();
  request.content_type = "application/x-tar";
  request.fields.add("X-Registry-Config", auths);
  request.source = std::move(context);
  return open(std::move(request));
}

Result<Stream> Client::save_images(const std::vector<std::string>& names, std::string_view platform) {
  Query query("/images/get");
  for (const auto& name : names) query.add("names", name);
  http::ClientRequest request;
  request.target = query.add_if("platform", platform).text();
  return open(std::move(request));
}

Result<Stream> Client::load_images(http::BodySource tar, bool quiet, std::string_view platform) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = Query("/images/load").add("quiet", quiet ? "1" : "0").add_if("platform", platform).text();
  request.content_type = "application/x-tar";
  request.source = std::move(tar);
  return open(std::move(request));
}

Result<Stream> Client::import_image(const Query& parameters, http::BodySource tar) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = parameters.text();
  request.content_type = "text/plain";
  request.source = std::move(tar);
  return open(std::move(request));
}

Result<std::string> Client::commit_container(const Query& parameters) {
  return TRY(call_as<docker::IdResponse>("POST", parameters.text())).id;
}

Result<Stream> Client::bootstrap(const Query& parameters) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = parameters.text();
  return open(std::move(request));
}

}  // namespace skiff::client
