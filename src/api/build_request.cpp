#include "api/build_request.h"

#include "base/json.h"
#include "base/strings.h"
#include "spec/docker/container.h"
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

Result<std::vector<spec::oci::Rlimit>> rlimits_of(const Query& query) {
  std::vector<spec::oci::Rlimit> rlimits;
  const auto& text = query.get("ulimits");
  if (text.empty()) return rlimits;
  const json::Value value = TRY_CONTEXT(json::parse(text), "error reading ulimit settings");
  if (!value.is_array())
    return Error(Kind::InvalidArgument, "error reading ulimit settings: not a JSON array");
  for (const json::Value& element : value.get_array()) {
    const auto limit =
        TRY_CONTEXT(json::from_value<spec::docker::Ulimit>(element), "error reading ulimit settings");
    rlimits.push_back({"RLIMIT_" + to_upper(limit.name), static_cast<std::uint64_t>(limit.hard),
                       static_cast<std::uint64_t>(limit.soft)});
  }
  return rlimits;
}

Result<build::Limits> limits_of(const Query& query) {
  constexpr std::int64_t kLeastMemory = 6 << 20;
  build::Limits limits;
  limits.memory = TRY(query.integer("memory")).value_or(0);
  if (limits.memory != 0 && limits.memory < kLeastMemory)
    return Error(Kind::InvalidArgument, "Minimum memory limit allowed is 6MB");
  limits.memory_swap = TRY(query.integer("memswap")).value_or(0);
  if (limits.memory_swap > 0 && limits.memory_swap < limits.memory)
    return Error(Kind::InvalidArgument,
                 "Minimum memoryswap limit should be larger than memory limit, see usage");
  limits.cpu_shares = TRY(query.integer("cpushares")).value_or(0);
  limits.cpu_period = TRY(query.integer("cpuperiod")).value_or(0);
  limits.cpu_quota = TRY(query.integer("cpuquota")).value_or(0);
  limits.cpuset_cpus = query.get("cpusetcpus");
  limits.cpuset_mems = query.get("cpusetmems");
  limits.shm_size = TRY(query.integer("shmsize")).value_or(0);
  limits.cgroup_parent = query.get("cgroupparent");
  limits.rlimits = TRY(rlimits_of(query));
  return limits;
}

/// What Docker refuses here, in its words, before it reads the context.
Result<void> check_options(const Query& query) {
  if (const auto& version = query.get("version"); version == "2")
    return Error(Kind::Unsupported, "this engine has no BuildKit sessions; build with DOCKER_BUILDKIT=0");
  else if (!version.empty() && version != "1")
    return fail(Kind::InvalidArgument, "invalid version {}", quote(version));
  if (!query.get("remote").empty())
    return Error(Kind::Unsupported, "this engine builds from a context that is sent along, not from a URL");
  if (const auto isolation = to_lower(query.get("isolation")); !isolation.empty() && isolation != "default")
    return fail(Kind::InvalidArgument, "unsupported isolation: {}", quote(query.get("isolation")));
  if (const auto& security = query.get("securityopt");
      !security.empty() && security != "null" && security != "[]")
    return Error(Kind::InvalidArgument, "security options are not supported on linux");
  if (query.boolean("squash"))
    return Error(Kind::InvalidArgument, "squash is only supported with experimental mode");
  if (const auto& platform = query.get("platform"); !platform.empty()) TRY(spec::Platform::parse(platform));
  return {};
}

}  // namespace

Result<build::Request> build_request(const Query& query) {
  TRY(check_options(query));
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
  request.limits = TRY(limits_of(query));
  return request;
}

}  // namespace skiff::api
