#include "registry/client/search.h"

#include "base/base64.h"
#include "base/strings.h"
#include "http/web.h"
#include "registry/client/endpoint.h"

namespace skiff::registry {
namespace {

constexpr std::string_view kHub = "docker.io";
constexpr std::string_view kHubIndex = "https://index.docker.io";
constexpr std::string_view kTokenScope = "registry:catalog:search";
constexpr int kMostResults = 100;
constexpr int kMostRedirects = 10;

/// As Go writes the value of a query: a blank is "+".
std::string query_value(std::string_view text) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~";
  std::string out;
  for (const char c : text) {
    if (kPlain.find(c) != std::string_view::npos)
      out += c;
    else
      out += c == ' ' ? "+" : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

struct Results {
  std::vector<spec::docker::SearchResult> results;
};
void describe(json::Fields& f, Results& results) { f("results", results.results); }

/// The registry at `way` answers at all; with what is its own affair.
Result<void> ping(const Endpoint& way, const std::stop_token& stop) {
  const auto session = TRY(http::WebSession::open(way.trust));
  http::WebRequest request;
  request.url = way.url + "/v1/_ping";
  request.redirects = kMostRedirects;
  TRY(session->perform(request, stop));
  return {};
}

/// The first way that leads to the registry: https, and plain http where that is allowed.
Result<Endpoint> find_way(std::string_view domain, const Settings& settings, const std::stop_token& stop) {
  if (domain == kHub) {
    auto ways = TRY(endpoints(kHub, Purpose::Push, settings));
    ways.back().url = kHubIndex;
    return ways.back();
  }
  const auto ways = TRY(endpoints(domain, Purpose::Pull, settings));
  std::vector<std::string> reasons;
  for (const auto& way : ways) {
    const auto answered = ping(way, stop);
    if (answered.ok()) return way;
    if (answered.error().kind() == Kind::Cancelled) return answered.error();
    reasons.push_back(answered.error().message());
  }
  if (reasons.size() > 1)
    return fail(Kind::InvalidArgument,
                "invalid registry endpoint \"http://{}/v1/\". HTTPS attempt: {}. HTTP attempt: {}", domain,
                reasons[0], reasons[1]);
  return fail(Kind::InvalidArgument,
              "invalid registry endpoint https://{0}/v1/: {1}. If this private registry supports only HTTP "
              "or HTTPS with an unknown CA certificate, please add `--insecure-registry {0}` to the daemon's "
              "arguments. In the case of HTTPS, if you have access to the registry's CA certificate, no need "
              "for the flag; simply place the CA certificate at /etc/docker/certs.d/{0}/ca.crt",
              domain, reasons[0]);
}

/// The Authorization line: a token in exchange for an identity token, else the password as it is.
Result<std::string> authorization(http::WebSession& session, const Endpoint& way,
                                  const Credentials& credentials, const std::stop_token& stop) {
  if (credentials.user.empty()) return std::string();
  if (credentials.identity_token.empty())
    return "Basic " + encode_base64(credentials.user + ":" + credentials.password);
  http::WebRequest request;
  request.url = way.url + "/v2/";
  Authorizer authorizer(credentials);
  authorizer.challenged(TRY(session.perform(request, stop)));
  return authorizer.line({std::string(kTokenScope)}, way.trust, stop);
}

}  // namespace

Result<SearchTerm> parse_search_term(std::string_view term) {
  for (const std::string_view scheme : {"http://", "https://"})
    if (term.starts_with(scheme))
      return fail(Kind::InvalidArgument,
                  "invalid repository name: repository name ({}) should not have a scheme", term);
  const std::string_view server = spec::docker::registry_of_search(term);
  SearchTerm parsed{registry_of(server), std::string(server.empty() ? term : term.substr(server.size() + 1))};
  // The Hub knows its own images without the folder that their full names have.
  constexpr std::string_view kLibrary = "library/";
  if (parsed.domain == kHub && parsed.words.starts_with(kLibrary)) parsed.words.erase(0, kLibrary.size());
  return parsed;
}

Result<std::vector<spec::docker::SearchResult>> search(const SearchTerm& term, int limit,
                                                       const Credentials& credentials,
                                                       const Settings& settings,
                                                       const std::stop_token& stop) {
  const Endpoint way = TRY(find_way(term.domain, settings, stop));
  if (limit < 1 || limit > kMostResults)
    return fail(Kind::InvalidArgument, "limit {} is outside the range of [1, {}]", limit, kMostResults);
  const auto session = TRY(http::WebSession::open(way.trust));
  http::WebRequest request;
  request.url = fmt::format("{}/v1/search?q={}&n={}", way.url, query_value(term.words), limit);
  const std::string line = TRY(authorization(*session, way, credentials, stop));
  if (line.empty())
    request.redirects = kMostRedirects;
  else
    request.fields.add("Authorization", line);
  const auto response = TRY(session->perform(request, stop));
  if (response.status != 200) return fail(Kind::Internal, "Unexpected status code {}", response.status);
  auto found = json::decode<Results>(response.body);
  if (!found.ok())
    return fail(Kind::Internal, "error decoding registry search results: {}", found.error().message());
  return std::move(found->results);
}

}  // namespace skiff::registry
