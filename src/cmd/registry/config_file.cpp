#include "cmd/registry/config_file.h"

#include "sys/file.h"

namespace skiff::registry_options {
namespace {

constexpr std::size_t kMostFile = 1 << 20;

/// The members that are no flags.
struct Lists {
  std::vector<registry::server::Right> access;
  std::vector<FileQuota> quotas;
  std::vector<FileUpstream> upstreams;
};

void describe(json::Fields& f, Lists& lists) {
  f("access", lists.access);
  f("quotas", lists.quotas);
  f("upstreams", lists.upstreams);
}

Result<std::vector<std::string>> values_of(const std::string& name, const json::Value& value) {
  const auto text = [](const json::Value& v) -> std::optional<std::string> {
    if (v.is_string()) return std::string(v.get_string());
    if (v.is_bool() || v.is_number()) return json::to_text(v);
    return std::nullopt;
  };
  if (auto single = text(value)) return std::vector{*std::move(single)};
  std::vector<std::string> out;
  if (const auto* array = value.if_array()) {
    for (const auto& element : *array) {
      auto part = text(element);
      if (!part) return fail(Kind::InvalidArgument, "{}: the value has the wrong type", name);
      out.push_back(*std::move(part));
    }
    return out;
  }
  return fail(Kind::InvalidArgument, "{}: the value has the wrong type", name);
}

}  // namespace

void describe(json::Fields& f, FileQuota& quota) {
  f("repositories", quota.repositories);
  f("size", quota.size);
}

void describe(json::Fields& f, FileUpstream& upstream) {
  f("registry", upstream.registry);
  f("prefix", upstream.prefix);
  f("user", upstream.user);
  f("password-file", upstream.password_file);
  f("fresh", upstream.fresh);
  f("insecure", upstream.insecure);
}

Result<ConfigFile> read_config_file(const std::string& path) {
  auto value = TRY(json::parse(TRY(sys::read_file(path, kMostFile))));
  if (!value.is_object()) return Error(Kind::InvalidArgument, "the file must hold a JSON object");
  ConfigFile out;
  for (const auto& [key, element] : value.get_object()) {
    const std::string name(key);
    if (name == "access" || name == "quotas" || name == "upstreams") continue;
    out.flags[name] = TRY(values_of(name, element));
  }
  auto lists = TRY(json::from_value<Lists>(std::move(value)));
  out.access = std::move(lists.access);
  out.quotas = std::move(lists.quotas);
  out.upstreams = std::move(lists.upstreams);
  return out;
}

}  // namespace skiff::registry_options
