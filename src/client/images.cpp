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

Result<void> Client::pin_image(std::string_view name, bool pinned) {
  const Query query(fmt::format("/skiff/images/{}/{}", encode_path(name), pinned ? "pin" : "unpin"));
  (void)TRY(call("POST", query.text()));
  return {};
}

Result<std::vector<docker::ImageDeleteItem>> Client::remove_image(std::string_view name, bool force,
                                                                  bool prune,
                                                                  const std::vector<std::string>& platforms) {
  Query query(fmt::format("/images/{}", encode_path(name)));
  query.flag("force", force).flag("noprune", !prune);
  for (const auto& platform : platforms) query.add("platforms", platform);
  return call_list<docker::ImageDeleteItem>("DELETE", query.text());
}

Result<docker::ImagePruneReport> Client::prune_images(const Filters& filters) {
  return call_as<docker::ImagePruneReport>("POST", Query("/images/prune").filters(filters).text());
}

Result<Stream> Client::pull(const spec::Reference& reference, std::string_view platform,
                            const std::string& auth, bool lazy) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = Query("/images/create")
                       .add("fromImage", reference.familiar_name())
                       .add_if("tag", reference.digest() ? reference.digest()->to_string() : reference.tag())
                       .add_if("platform", to_lower(platform))
                       .add_if("lazy", lazy ? "1" : "")
                       .text();
  request.fields.add("X-Registry-Auth", auth);
  return open(std::move(request));
}

Result<Stream> Client::push(const spec::Reference& reference, std::string_view platform,
                            std::string_view compression, const std::string& auth) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = Query(fmt::format("/images/{}/push", encode_path(reference.familiar_name())))
                       .add_if("tag", reference.tag())
                       .add_if("platform", platform)
                       .add_if("compression", compression)
                       .text();
  request.fields.add("X-Registry-Auth", auth);
  return open(std::move(request));
}

Result<std::string> Client::ask_registry(std::string_view method, const Query& query, const std::string& auth,
                                         std::string body) {
  http::ClientRequest request;
  request.method = method;
  request.target = query.text();
  request.body = std::move(body);
  request.fields.add("X-Registry-Auth", auth);
  return TRY(open(std::move(request))).read_all();
}

Result<std::vector<docker::SearchResult>> Client::search(std::string_view term, std::int64_t limit,
                                                         const Filters& filters, const std::string& auth) {
  Query query("/images/search");
  query.add("term", term).filters(filters);
  if (limit > 0) query.add("limit", std::to_string(limit));
  const std::string text = TRY(ask_registry("GET", query, auth));
  return as_list<docker::SearchResult>(TRY_CONTEXT(json::parse(text), "the engine's answer to a search"));
}

namespace {

Query manifest_query(const spec::Reference& reference, std::string_view rest, bool insecure) {
  return Query(fmt::format("/skiff/manifests/{}{}", encode_path(reference.to_string()), rest))
      .flag("insecure", insecure);
}

}  // namespace

Result<docker::ManifestRecord> Client::remote_manifest(const spec::Reference& reference, bool insecure,
                                                       const std::string& auth) {
  const std::string text = TRY(ask_registry("GET", manifest_query(reference, "", insecure), auth));
  return TRY_CONTEXT(json::decode<docker::ManifestRecord>(text), "the engine's answer of a manifest");
}

Result<std::string> Client::put_manifest(const spec::Reference& reference,
                                         const docker::ManifestUpload& upload, bool insecure,
                                         const std::string& auth) {
  const std::string text =
      TRY(ask_registry("PUT", manifest_query(reference, "", insecure), auth, json::encode(upload)));
  return TRY_CONTEXT(json::decode<docker::ManifestUploaded>(text), "the engine's answer of a manifest")
      .digest;
}

Result<void> Client::mount_blob(const spec::Reference& target, std::string_view from, std::string_view digest,
                                bool insecure, const std::string& auth) {
  Query query = manifest_query(target, "/mount", insecure);
  (void)TRY(ask_registry("POST", query.add("from", from).add("digest", digest), auth));
  return {};
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

Result<std::vector<std::string>> Client::known_layers(const std::vector<std::string>& diff_ids) {
  const auto answer = TRY(
      call_as<docker::LayerList>("POST", "/skiff/layers/known", json::encode(docker::LayerList{diff_ids})));
  return answer.diff_ids;
}

Result<Stream> Client::save_images_without(const docker::SaveRequest& request) {
  http::ClientRequest sent;
  sent.method = "POST";
  sent.target = "/skiff/images/save";
  sent.body = json::encode(request);
  return open(std::move(sent));
}

Result<Stream> Client::load_images(http::LongBody tar, bool quiet, std::string_view platform,
                                   const OnLine& early) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = Query("/images/load").add("quiet", quiet ? "1" : "0").add_if("platform", platform).text();
  request.content_type = "application/x-tar";
  request.source = std::move(tar.source);
  request.file = tar.file;
  std::string pending;
  if (early)
    request.early = [&](std::string_view bytes) -> Result<void> {
      pending += bytes;
      for (std::size_t end; (end = pending.find('\n')) != std::string::npos;) {
        const std::string line(trim(std::string_view(pending).substr(0, end)));
        pending.erase(0, end + 1);
        if (!line.empty()) TRY(early(TRY(json::parse(line))));
      }
      return {};
    };
  auto stream = TRY(open(std::move(request)));
  stream.put_back(std::move(pending));
  return stream;
}

Result<Stream> Client::import_image(const Query& parameters, http::LongBody tar) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = parameters.text();
  request.content_type = "text/plain";
  request.source = std::move(tar.source);
  request.file = tar.file;
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
