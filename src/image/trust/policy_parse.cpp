#include <algorithm>
#include <array>
#include <set>

#include "base/base64.h"
#include "base/strings.h"
#include "image/trust/policy.h"

/// Reading a policy. Every member has to be known, everything else is refused by its place in the file.
namespace skiff::image {
namespace {

Result<const json::Object*> object_at(const json::Value& value, std::string_view where) {
  if (const auto* object = value.if_object()) return object;
  return fail(Kind::InvalidArgument, "{} must be an object", where);
}

Result<std::string> text_at(const json::Value& value, std::string_view where) {
  if (const auto* text = value.if_string()) return std::string(*text);
  return fail(Kind::InvalidArgument, "{} must be a text", where);
}

Result<void> only(const json::Object& object, const std::vector<std::string_view>& known,
                  std::string_view where) {
  for (const auto& [key, value] : object) {
    const std::string_view name(key.data(), key.size());
    if (std::find(known.begin(), known.end(), name) == known.end())
      return fail(Kind::InvalidArgument, "{} has the unknown member {} (known: {})", where, quote(name),
                  join({known.begin(), known.end()}, ", "));
  }
  return {};
}

/// The member `name`, a text that has to be there.
Result<std::string> text_member(const json::Object& object, std::string_view name, std::string_view where) {
  const auto* value = object.if_contains(name);
  if (!value) return fail(Kind::InvalidArgument, "{} needs {}", where, quote(name));
  return text_at(*value, fmt::format("{} of {}", quote(name), where));
}

Result<std::string> reference_member(const json::Object& object, std::string_view name, bool whole,
                                     std::string_view where) {
  auto text = TRY(text_member(object, name, where));
  const auto reference = TRY_CONTEXT(spec::Reference::parse(text), "{} of {}", quote(name), where);
  const bool tagged = !reference.tag().empty() || reference.digest();
  if (tagged == whole) return text;
  return fail(Kind::InvalidArgument, "{} of {} must {} a tag or digest: {}", quote(name), where,
              whole ? "have" : "not have", quote(text));
}

Result<SignedIdentity> identity_at(const json::Value& value, const std::string& where) {
  const auto& object = *TRY(object_at(value, where));
  const auto type = TRY(text_member(object, "type", where));
  using Is = SignedIdentity::Kind;
  SignedIdentity identity;
  if (type == "matchExact" || type == "matchRepoDigestOrExact" || type == "matchRepository") {
    TRY(only(object, {"type"}, where));
    identity.kind = type == "matchExact"        ? Is::Exact
                    : type == "matchRepository" ? Is::Repository
                                                : Is::RepoDigestOrExact;
  } else if (type == "exactReference") {
    TRY(only(object, {"type", "dockerReference"}, where));
    identity.kind = Is::ExactReference;
    identity.reference = TRY(reference_member(object, "dockerReference", true, where));
  } else if (type == "exactRepository") {
    TRY(only(object, {"type", "dockerRepository"}, where));
    identity.kind = Is::ExactRepository;
    identity.reference = TRY(reference_member(object, "dockerRepository", false, where));
  } else if (type == "remapIdentity") {
    TRY(only(object, {"type", "prefix", "signedPrefix"}, where));
    identity.kind = Is::Remap;
    identity.prefix = TRY(text_member(object, "prefix", where));
    identity.signed_prefix = TRY(text_member(object, "signedPrefix", where));
  } else {
    return fail(Kind::InvalidArgument, "{} has the unknown type {}", where, quote(type));
  }
  return identity;
}

/// That no object of the JSON text, which is sound, has a member twice: a reader would take the last one, and
/// people see the first.
Result<void> check_members(std::string_view text) {
  std::vector<std::set<std::string>> open;  // objects
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '{') open.emplace_back();
    if (text[at] == '}') open.pop_back();
    if (text[at] != '"') continue;
    const std::size_t begin = at++;
    while (text[at] != '"') at += text[at] == '\\' ? 2 : 1;
    const std::size_t next = text.find_first_not_of(" \t\r\n", at + 1);
    if (next == std::string_view::npos || text[next] != ':') continue;
    const auto name = TRY(text_at(TRY(json::parse(text.substr(begin, at + 1 - begin))), "a member's name"));
    if (!open.back().insert(name).second)
      return fail(Kind::InvalidArgument, "the member {} stands twice in one object", quote(name));
  }
  return {};
}

class KeyReader {
 public:
  KeyReader(const Policy::ReadFile& read_file, const std::string& where)
      : read_file_(read_file), where_(where) {}

  /// The keys that exactly one of the four members gives.
  Result<std::vector<PublicKey>> read(const json::Object& object) {
    int given = 0;
    for (const char* name : {"keyPath", "keyData", "keyPaths", "keyDatas"}) {
      const auto* value = object.if_contains(name);
      if (!value) continue;
      if (++given > 1) break;
      TRY(member(name, *value));
    }
    if (given != 1)
      return fail(Kind::InvalidArgument, "{} needs one of keyPath, keyData, keyPaths and keyDatas", where_);
    return std::move(keys_);
  }

 private:
  Result<void> member(std::string_view name, const json::Value& value) {
    const bool path = name.starts_with("keyPath");
    const std::string place = fmt::format("{} of {}", name, where_);
    if (!name.ends_with('s')) return add(value, path, place);
    const auto* list = value.if_array();
    if (!list || list->empty()) return fail(Kind::InvalidArgument, "{} must be a list of texts", place);
    for (const auto& element : *list) TRY(add(element, path, place));
    return {};
  }

  Result<void> add(const json::Value& value, bool path, const std::string& place) {
    const auto text = TRY(text_at(value, place));
    if (path) {
      const auto pem = TRY_CONTEXT(read_file_(text), "{}", place);
      keys_.push_back(TRY_CONTEXT(PublicKey::parse(pem), "{}: {}", place, text));
      return {};
    }
    const auto pem = decode_base64(text);
    if (!pem) return fail(Kind::InvalidArgument, "{} is not base64", place);
    keys_.push_back(TRY_CONTEXT(PublicKey::parse(*pem), "{}", place));
    return {};
  }

  const Policy::ReadFile& read_file_;
  const std::string& where_;
  std::vector<PublicKey> keys_;
};

Result<Requirement> requirement_at(const json::Value& value, const std::string& where,
                                   const Policy::ReadFile& read_file) {
  const auto& object = *TRY(object_at(value, where));
  const auto type = TRY(text_member(object, "type", where));
  Requirement requirement;
  if (type == "insecureAcceptAnything" || type == "reject") {
    TRY(only(object, {"type"}, where));
    requirement.kind = type == "reject" ? Requirement::Kind::Reject : Requirement::Kind::Accept;
    return requirement;
  }
  if (type == "signedBy" || type == "signedBaseLayer")
    return fail(Kind::InvalidArgument, "{}: {} is not supported; use sigstoreSigned", where, quote(type));
  if (type != "sigstoreSigned")
    return fail(Kind::InvalidArgument, "{} has the unknown type {}", where, quote(type));
  for (const char* name : {"fulcio", "rekorPublicKeyPath", "rekorPublicKeyData", "rekorPublicKeyPaths",
                           "rekorPublicKeyDatas", "pki"})
    if (object.contains(name))
      return fail(Kind::InvalidArgument, "{}: {} is not supported; name a key by keyPath or keyData", where,
                  quote(name));
  TRY(only(object, {"type", "keyPath", "keyData", "keyPaths", "keyDatas", "signedIdentity"}, where));
  requirement.kind = Requirement::Kind::Signed;
  requirement.keys = TRY(KeyReader(read_file, where).read(object));
  if (const auto* identity = object.if_contains("signedIdentity"))
    requirement.identity = TRY(identity_at(*identity, "signedIdentity of " + where));
  return requirement;
}

/// The transports of containers-policy.json(5) that mean nothing here: no image comes by them.
constexpr std::array<std::string_view, 7> kForeignTransports = {
    "atomic", "containers-storage", "dir", "docker-daemon", "oci", "sif", "tarball"};

/// Whether some image of a registry can have `scope`: a host, a name, or one with a tag or digest, written
/// out.
bool is_registry_scope(const std::string& scope) {
  if (scope.empty()) return true;
  const std::string below = "/x/y";
  if (scope.starts_with("*.")) {
    const std::string host = "x" + scope.substr(1);
    const auto image = spec::Reference::parse(host + below);
    return image.ok() && image->domain() == host && host.find(':') == std::string::npos;
  }
  if (const auto image = spec::Reference::parse(scope + below); image.ok())
    return image->to_string() == scope + below;
  const auto image = spec::Reference::parse(scope);
  return image.ok() && image->to_string() == scope && (image->tag().empty() || !image->digest());
}

/// A rule that no image can meet must not look like one that counts.
Result<void> check_scope(const std::string& transport, const std::string& scope) {
  const auto foreign = std::find(kForeignTransports.begin(), kForeignTransports.end(), transport);
  if (foreign != kForeignTransports.end()) return {};
  if (transport == "oci-archive")
    return Error(Kind::InvalidArgument,
                 R"(the transport "oci-archive" is not supported: the rule for archives of either format is )"
                 R"("" of "docker-archive")");
  if (transport == "docker-archive") {
    if (scope.empty()) return {};
    return fail(Kind::InvalidArgument,
                R"(the transport "docker-archive" has the scope {}; its only one is "")", quote(scope));
  }
  if (transport != "docker")
    return fail(Kind::InvalidArgument, "the unknown transport {} (known: docker, docker-archive, {})",
                quote(transport), join({kForeignTransports.begin(), kForeignTransports.end()}, ", "));
  if (is_registry_scope(scope)) return {};
  return fail(
      Kind::InvalidArgument,
      R"(no image has the scope {} of the transport "docker"; it must be "", "*.domain", a host, or a )"
      R"(name written out ("docker.io/library/busybox"), with a tag or digest or without)",
      quote(scope));
}

Result<Rule> rule_at(const json::Value& value, const std::string& name, const Policy::ReadFile& read_file) {
  const auto* list = value.if_array();
  if (!list || list->empty())
    return fail(Kind::InvalidArgument, "the rule {} must be a list of at least one requirement", quote(name));
  Rule rule{name, {}};
  for (std::size_t i = 0; i < list->size(); ++i)
    rule.requirements.push_back(TRY(requirement_at(
        (*list)[i], fmt::format("requirement {} of the rule {}", i + 1, quote(name)), read_file)));
  return rule;
}

}  // namespace

Result<Policy> Policy::parse(std::string_view text, const ReadFile& read_file) {
  const auto value = TRY(json::parse(text));
  TRY(check_members(text));
  const auto& root = *TRY(object_at(value, "the policy"));
  TRY(only(root, {"default", "transports"}, "the policy"));
  const auto* fallback = root.if_contains("default");
  if (!fallback) return Error(Kind::InvalidArgument, "the policy needs the rule \"default\"");
  Policy policy;
  policy.default_ = TRY(rule_at(*fallback, "default", read_file));
  const auto* transports = root.if_contains("transports");
  if (!transports) return policy;
  for (const auto& [transport_key, scopes] : *TRY(object_at(*transports, "\"transports\""))) {
    const std::string transport(transport_key);
    TRY(check_scope(transport, ""));
    for (const auto& [scope_key, rule] : *TRY(object_at(scopes, "the transport " + quote(transport)))) {
      const std::string scope(scope_key);
      TRY(check_scope(transport, scope));
      const std::string name = scope.empty() ? transport : transport + " " + scope;
      policy.transports_[transport][scope] = TRY(rule_at(rule, name, read_file));
    }
  }
  return policy;
}

}  // namespace skiff::image
