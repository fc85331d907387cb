#include "registry/server/registry.h"

#include <algorithm>
#include <array>

#include "base/log.h"
#include "base/strings.h"

namespace skiff::registry::server {
namespace {

/// One method of one endpoint: what it takes and who serves it.
struct Endpoint {
  Route::Kind kind;
  std::string_view method;
  std::optional<Action> action;
  bool writes;
  CallHandler handler;
};

using enum Route::Kind;

// clang-format off
constexpr std::array kEndpoints = {
    Endpoint{Base,      "GET",    {},             false, serve_base},
    Endpoint{Catalog,   "GET",    {},             false, serve_catalog},
    Endpoint{Tags,      "GET",    Action::Pull,   false, serve_tags},
    Endpoint{Referrers, "GET",    Action::Pull,   false, serve_referrers},
    Endpoint{Blob,      "GET",    Action::Pull,   false, get_blob},
    Endpoint{Blob,      "DELETE", Action::Delete, true,  delete_blob},
    Endpoint{Manifest,  "GET",    Action::Pull,   false, get_manifest},
    Endpoint{Manifest,  "PUT",    Action::Push,   true,  put_manifest},
    Endpoint{Manifest,  "DELETE", Action::Delete, true,  delete_manifest},
    Endpoint{Route::Kind::Uploads, "POST", Action::Push, true, begin_upload},
    Endpoint{Upload,    "GET",    Action::Push,   true,  inspect_upload},
    Endpoint{Upload,    "PATCH",  Action::Push,   true,  continue_upload},
    Endpoint{Upload,    "PUT",    Action::Push,   true,  finish_upload},
    Endpoint{Upload,    "DELETE", Action::Push,   true,  cancel_upload},
};
// clang-format on

constexpr std::array<std::pair<Route::Kind, std::string_view>, 9> kEndpointNames = {{
    {None, "none"},
    {Base, "base"},
    {Catalog, "catalog"},
    {Blob, "blob"},
    {Route::Kind::Uploads, "upload"},
    {Upload, "upload"},
    {Manifest, "manifest"},
    {Tags, "tags"},
    {Referrers, "referrers"},
}};

const Endpoint* find_endpoint(Route::Kind kind, std::string_view method) {
  if (method == "HEAD") method = "GET";
  for (const auto& endpoint : kEndpoints)
    if (endpoint.kind == kind && endpoint.method == method) return &endpoint;
  return nullptr;
}

/// The methods of an endpoint, for the header `Allow`; "" when there is no such endpoint.
std::string methods_of(Route::Kind kind) {
  std::vector<std::string> out;
  for (const auto& endpoint : kEndpoints) {
    if (endpoint.kind != kind) continue;
    out.emplace_back(endpoint.method);
    if (endpoint.method == "GET") out.emplace_back("HEAD");
  }
  return join(out, ", ");
}

/// What a client without the right is told to ask a token for.
std::string_view scope_of(Action action) {
  switch (action) {
    case Action::Pull:
      return "pull";
    case Action::Push:
      return "pull,push";
    case Action::Delete:
      return "delete";
  }
  return "";
}

}  // namespace

Registry::Registry(RegistrySettings settings, std::unique_ptr<Storage> storage)
    : settings_(std::move(settings)),
      storage_(std::move(storage)),
      repositories_(*storage_, settings_.grace),
      uploads_(*storage_),
      quotas_(repositories_, settings_.quotas),
      cache_(repositories_, uploads_, settings_.caches) {}

Result<std::unique_ptr<Registry>> Registry::open(RegistrySettings settings,
                                                 std::unique_ptr<Storage> storage) {
  std::unique_ptr<Registry> out(new Registry(std::move(settings), std::move(storage)));
  out->authentication_ = TRY(Authentication::create(out->settings_.authentication));
  if (!out->settings_.access_log.empty()) out->access_log_ = TRY(AccessLog::open(out->settings_.access_log));
  return out;
}

void Registry::note(const Outcome& outcome) {
  const auto& record = outcome.record;
  --metrics_.in_flight;
  metrics_.count_request(outcome.endpoint, record.method, record.status,
                         std::chrono::steady_clock::now() - outcome.began, record.bytes);
  if (access_log_) access_log_->write(record);
}

void Registry::handle(http::Exchange& http) {
  ++metrics_.in_flight;
  Call call{*this, http, Route::parse(http.path()), {}, std::make_shared<Outcome>()};
  // How containerd tells a mirror which registry it means.
  if (const auto domain = query_value(http.query(), "ns")) {
    if (auto name = cache_.name_of(*domain, call.route.repository); !name.empty())
      call.route.repository = std::move(name);
  }
  for (const auto& [kind, name] : kEndpointNames)
    if (kind == call.route.kind) call.outcome->endpoint = name;
  auto& record = call.outcome->record;
  record.time = now();
  record.method = http.method();
  if (access_log_) {
    record.peer = http.peer();
    record.target = http.target();
    record.http_version = http.version();
    record.referer = http.fields().get("Referer");
    record.agent = http.fields().get("User-Agent");
  }
  call.header("Docker-Distribution-Api-Version", "registry/2.0");
  call.header("X-Content-Type-Options", "nosniff");
  auto served = serve(call);
  if (!served.ok() && !http.answered()) (void)call.refuse(served.error());
  if (!call.deferred) note(*call.outcome);
}

Result<void> Registry::serve(Call& call) {
  if (call.route.kind == None && serve_monitoring(call)) return {};
  const auto* endpoint = find_endpoint(call.route.kind, call.http.method());
  if (!endpoint) {
    const std::string allowed = methods_of(call.route.kind);
    if (allowed.empty()) return call.answer(404, "404 page not found\n", "text/plain; charset=utf-8");
    call.header("Allow", allowed);
    return call.refuse(Code::MethodUnknown);
  }
  const bool named = endpoint->action.has_value();
  if (named && !is_repository_name(call.name()))
    return call.refuse(Code::NameInvalid, {}, json::Object{{"name", call.name()}});
  auto caller = authentication_->identify(call.http);
  if (!caller.ok()) {
    call.header("WWW-Authenticate",
                authentication_->challenge(call.name(), named ? scope_of(*endpoint->action) : "", false));
    return call.refuse(Code::Unauthorized, caller.error().message());
  }
  call.caller = *std::move(caller);
  call.outcome->record.user = call.caller.user;
  if (named && !call.caller.may(*endpoint->action, call.name()))
    return refuse_access(call, *endpoint->action);
  if (!named && !call.caller.authenticated) return refuse_access(call, Action::Pull);
  if (endpoint->writes && settings_.read_only)
    return call.refuse(Code::Unsupported, "the registry is read-only");
  if (endpoint->action == Action::Push && cache_.covers(call.name()))
    return call.refuse(Code::Unsupported, "the repository is a copy of another registry's");
  return endpoint->handler(call);
}

/// Somebody whom we know but who may not is told so; others are to say who they are. Bearers of a token can
/// get a better one, so that they too are asked again.
Result<void> Registry::refuse_access(Call& call, Action action) {
  const bool token = call.http.fields().get("Authorization").starts_with("Bearer ");
  const json::Value detail =
      call.name().empty()
          ? json::Value()
          : json::Array{
                json::Object{{"Type", "repository"}, {"Name", call.name()}, {"Action", to_string(action)}}};
  if (call.caller.authenticated && !token) return call.refuse(Code::Denied, {}, detail);
  call.header("WWW-Authenticate",
              authentication_->challenge(call.name(), call.name().empty() ? "" : scope_of(action), token));
  return call.refuse(Code::Unauthorized, {}, detail);
}

/// Whether the registry can do its work, for whoever watches it; and figures, where they are nobody's secret.
bool Registry::serve_monitoring(Call& call) {
  const auto path = call.http.path();
  if (path == "/healthz") {
    handle_monitoring(call.http);
  } else if (path == "/metrics" && !authentication_->required()) {
    handle_monitoring(call.http);
  } else {
    return false;
  }
  call.outcome->endpoint = "monitoring";
  call.outcome->record.status = 200;
  return true;
}

void Registry::handle_monitoring(http::Exchange& http) {
  // The client may be gone; then nobody wants to hear of it.
  if (http.path() == "/metrics") {
    (void)http.send(200, metrics_.text(), "text/plain; version=0.0.4; charset=utf-8");
  } else if (http.path() == "/healthz") {
    const auto listing = storage_->list("repositories");
    if (!listing.ok()) log::error("health: {}", listing.error().message());
    (void)http.send(listing.ok() ? 200 : 503, listing.ok() ? "ok\n" : "the storage does not answer\n",
                    "text/plain; charset=utf-8");
  } else {
    (void)http.send(404, "404 page not found\n", "text/plain; charset=utf-8");
  }
}

}  // namespace skiff::registry::server
