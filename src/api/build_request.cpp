#include "api/build_request.h"

#include "base/json.h"
#include "base/strings.h"
#include "spec/reference.h"

namespace skiff::api {
namespace {

/// A parameter that holds a JSON object of strings or nulls, such as {"VERSION": "1", "FROM_ENV": null}.
Result<std::map<std::string, std::optional<std::string>>> string_map(const Query& query,
                                                                     std::string_view name) {
  std::map<std::string, std::optional<std::string>> out;
  const auto& text = query.get(name);
  if (text.empty()) return out;
  const auto bad = [&] {
    return fail(Kind::InvalidArgument, "error reading build {}: not a JSON object of strings", name);
  };
  const auto value = json::parse(text);
  const json::Object* object = value.ok() ? value->if_object() : nullptr;
  if (!object && !(value.ok() && value->is_null())) return bad();
  if (!object) return out;
  for (const auto& [key, element] : *object) {
    if (!element.is_string() && !element.is_null()) return bad();
    auto& entry = out[std::string(key)];
    if (element.is_string()) entry = std::string(element.get_string());
  }
  return out;
}

Result<std::vector<std::string>> tags_of(const Query& query) {
  std::vector<std::string> tags;
  for (auto& tag : query.all("t")) {
    if (tag.empty()) continue;
    if (const auto reference = spec::Reference::parse(tag); !reference.ok())
      return fail(Kind::InvalidArgument, "invalid argument {} for \"-t, --tag\" flag: {}", quote(tag),
                  reference.error().message());
    else if (reference->digest())
      return Error(Kind::InvalidArgument, "build tag cannot contain a digest");
    tags.push_back(std::move(tag));
  }
  return tags;
}

}  // namespace

Result<build::Request> build_request(const Query& query) {
  if (query.get("version") == "2")
    return Error(Kind::Unsupported, "this engine has no BuildKit sessions; build with DOCKER_BUILDKIT=0");
  if (!query.get("remote").empty())
    return Error(Kind::Unsupported, "this engine builds from a context that is sent along, not from a URL");
  build::Request request;
  if (const auto& file = query.get("dockerfile"); !file.empty()) request.dockerfile = file;
  request.tags = TRY(tags_of(query));
  request.build_arguments = TRY(string_map(query, "buildargs"));
  for (auto& [name, value] : TRY(string_map(query, "labels"))) request.labels[name] = value.value_or("");
  request.target = query.get("target");
  request.network_mode = query.get("networkmode");
  request.extra_hosts = query.all("extrahosts");
  request.platform = query.get("platform");
  request.no_cache = query.boolean("nocache");
  request.pull = query.boolean("pull");
  request.quiet = query.boolean("q");
  request.remove_intermediate = query.boolean("rm", true);
  request.memory = TRY(query.integer("memory")).value_or(0);
  return request;
}

}  // namespace skiff::api
