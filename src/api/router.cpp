#include "api/call.h"
#include "api/pattern.h"
#include "api/routes.h"
#include "api/service.h"
#include "base/log.h"
#include "spec/program_version.h"

namespace skiff::api {
namespace {

void add_engine_headers(http::Exchange& http) {
  auto& fields = http.answer_fields();
  fields.add("Api-Version", kCurrentVersion.to_string());
  fields.add("Docker-Experimental", "false");
  fields.add("Ostype", "linux");
  fields.add("Server", fmt::format("Skiff/{} (linux)", spec::program_version()));
}

struct Found {
  const Route& route;
  std::vector<std::string> parameters;
};

std::optional<Found> find_route(std::string_view method, std::string_view path) {
  for (const auto& route : routes()) {
    if (route.method != method && route.method != "*") continue;
    if (auto parameters = match(route.pattern, path)) return Found{route, *std::move(parameters)};
  }
  return std::nullopt;
}

void conclude(http::Exchange& http, const Error& error) {
  if (!http.answered()) {
    answer_error(http, error);
    return;
  }
  // The status line is out already; only a broken stream can tell now.
  if (error.kind() != Kind::Cancelled) log::warning("{} {}: {}", http.method(), http.path(), error.message());
  http.abort();
}

void handle(engine::Engine& engine, const spec::EngineConfig& config, http::Exchange& http) {
  add_engine_headers(http);
  const auto versioned = negotiate(http.path());
  if (!versioned.ok()) return answer_error(http, versioned.error());
  const std::string path = http::percent_decode(versioned->path, false);
  if (http.method() == "OPTIONS") {
    (void)http.send(200, "");
    return;
  }
  auto found = find_route(http.method(), path);
  if (!found) return answer_error(http, Error(Kind::NotFound, "page not found"));
  Call call{
      engine, config, http, versioned->version, Query::parse(http.query()), std::move(found->parameters)};
  log::debug("{} {}", http.method(), http.target());
  if (const auto result = found->route.handler(call); !result.ok()) conclude(http, result.error());
}

}  // namespace

http::Handler make_handler(engine::Engine& engine, const spec::EngineConfig& config) {
  return [&engine, &config](http::Exchange& http) { handle(engine, config, http); };
}

}  // namespace skiff::api
