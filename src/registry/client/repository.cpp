#include "registry/client/repository.h"

#include <algorithm>
#include <condition_variable>

#include "base/strings.h"
#include "registry/client/refusal.h"
#include "registry/client/urls.h"
#include "spec/manifest.h"
#include "spec/program_version.h"

namespace skiff::registry {
namespace {

constexpr int kMostRedirects = 10;
constexpr std::size_t kIdleSessions = 8;
constexpr std::chrono::seconds kLongestPause{60};
constexpr std::size_t kLargestManifest = 4 << 20;  // distribution-spec: registries need not take larger ones
constexpr std::size_t kLongestRefusal = 64 << 10;
constexpr std::size_t kMostTags = 100'000;

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/// Sleeps unless somebody stops it; false when that happened.
bool pause(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any condition;
  std::unique_lock lock(mutex);
  condition.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

Error no_digest() { return {Kind::Unavailable, "the registry's answer names no digest"}; }

Error no_match(const std::string& digest) {
  return fail(Kind::DataLoss, "manifest verification failed for digest {}", digest);
}

}  // namespace

Repository::Repository(Endpoint endpoint, const spec::Reference& name, Purpose purpose,
                       Credentials credentials, const Settings& settings)
    : endpoint_(std::move(endpoint)),
      name_(name.without_tag()),
      purpose_(purpose),
      settings_(settings),
      authorizer_(std::move(credentials)) {}

Result<std::shared_ptr<Repository>> Repository::open(const Endpoint& endpoint, const spec::Reference& name,
                                                     Purpose purpose, Credentials credentials,
                                                     const Settings& settings, const std::stop_token& stop) {
  // What belongs to the registry is nothing that a mirror should see.
  if (endpoint.mirror) credentials = {};
  std::shared_ptr<Repository> repository(
      new Repository(endpoint, name, purpose, std::move(credentials), settings));
  TRY(repository->ping(stop));
  return repository;
}

Result<std::shared_ptr<Repository>> Repository::connect(const spec::Reference& name, Purpose purpose,
                                                        const Credentials& credentials,
                                                        const Settings& settings,
                                                        const std::stop_token& stop) {
  std::optional<Error> last;
  for (const auto& way : TRY(endpoints(name.domain(), purpose, settings))) {
    if (way.mirror) continue;
    auto repository = open(way, name, purpose, credentials, settings, stop);
    if (repository.ok() || repository.error().kind() == Kind::Cancelled) return repository;
    last = repository.error();
  }
  return *last;
}

Result<void> Repository::ping(const std::stop_token& stop) {
  http::WebRequest request;
  request.url = endpoint_.url + "/v2/";
  auto wait = settings_.first_pause;
  for (int attempt = 1;; ++attempt, wait *= 2) {
    const auto response = perform(request, true, stop, {});
    if (response.ok()) {
      if (response->status == 401) authorizer_.challenged(*response);
      return {};
    }
    // A mirror that breaks off leaves the word to the next.
    const bool may_pass = response.error().kind() == Kind::Unavailable && response.error().code() == 0;
    if (!may_pass || endpoint_.mirror || attempt >= settings_.attempts) return response.error();
    if (!pause(wait, stop)) return Error(Kind::Cancelled, "context canceled");
  }
}

std::string Repository::url(std::string_view rest) const {
  return for_mirror(fmt::format("{}/v2/{}/{}", endpoint_.url, name_.path(), rest));
}

/// What mirrors one registry after another has to be told whose image is meant, as containerd does it.
/// Docker's clients say nothing for Docker Hub.
std::string Repository::for_mirror(std::string url) const {
  if (endpoint_.registry.empty() || endpoint_.registry == "docker.io") return url;
  return with_query(std::move(url), "ns=" + http::percent_encode(endpoint_.registry));
}

std::string Repository::scope(std::string_view path) const {
  const bool own = path == name_.path();
  return fmt::format("repository:{}:{}", path, own && purpose_ == Purpose::Push ? "pull,push" : "pull");
}

/// On a connection that stood idle, or on a new one. `ours`: the server is the registry itself.
Result<http::WebResponse> Repository::perform(const http::WebRequest& request, bool ours,
                                              const std::stop_token& stop, const http::WebSink& sink) {
  std::unique_ptr<http::WebSession> session;
  {
    const MutexLock lock(mutex_);
    auto& idle = ours ? idle_ : idle_elsewhere_;
    if (!idle.empty()) {
      session = std::move(idle.back());
      idle.pop_back();
    }
  }
  if (!session) {
    auto trust = endpoint_.trust;
    // Who we are is the registry's business, not that of the store it points to.
    if (!ours) trust.identities.clear();
    session = TRY(http::WebSession::open(std::move(trust)));
  }
  auto response = session->perform(request, stop, sink);
  const MutexLock lock(mutex_);
  auto& idle = ours ? idle_ : idle_elsewhere_;
  if (response.ok() && idle.size() < kIdleSessions) idle.push_back(std::move(session));
  return response;
}

/// Through redirects; the authorization goes to the registry only.
Result<Repository::Answer> Repository::follow(http::WebRequest request, const std::string& authorization,
                                              const std::stop_token& stop, const http::WebSink& sink) {
  std::string refused;
  http::WebSink guarded;
  if (sink)
    guarded = [&](const http::WebResponse& head, std::string_view piece) -> Result<void> {
      if (head.ok()) return sink(head, piece);
      refused.append(piece.substr(0, kLongestRefusal - std::min(kLongestRefusal, refused.size())));
      return {};
    };
  for (int hops = 0;; ++hops) {
    const bool ours = same_origin(request.url, endpoint_.url);
    http::WebRequest next = request;
    if (ours && !authorization.empty()) next.fields.add("Authorization", authorization);
    auto response = TRY(perform(next, ours, stop, guarded));
    if (!is_redirect(response.status) || request.source) {
      if (sink) response.body = std::move(refused);
      return Answer{std::move(response), ours};
    }
    refused.clear();
    if (hops == kMostRedirects)
      return fail(Kind::Unavailable, "Get {}: stopped after {} redirects", quote(request.url),
                  kMostRedirects);
    request.url = TRY(location_of(response, request.url));
  }
}

Result<std::string> Repository::location_of(const http::WebResponse& response,
                                            const std::string& base) const {
  const std::string location(response.fields.get("Location"));
  if (location.empty())
    return fail(Kind::Unavailable, "{} {}: the answer has no Location", response.status, response.reason);
  return join_url(base, location);
}

/// With authorization; a token that is not taken any more is replaced once.
Result<http::WebResponse> Repository::once(http::WebRequest request, const std::vector<std::string>& scopes,
                                           const std::stop_token& stop, const http::WebSink& sink) {
  for (bool again = true;; again = false) {
    auto line = authorizer_.line(scopes, endpoint_.trust, stop);
    if (!line.ok()) {
      // Docker names the request here, but not for what a token server says.
      if (authorizer_.scheme() != "basic" || purpose_ == Purpose::Push) return line.error();
      std::string verb = to_lower(request.method);
      verb[0] = static_cast<char>(verb[0] - 'a' + 'A');
      return line.error().with_context(fmt::format("{} {}", verb, quote(request.url)));
    }
    auto answer = TRY(follow(request, *line, stop, sink));
    // Only the registry may say who is to learn the credentials, not a server that it points to.
    if (answer.response.status != 401 || !answer.ours || !again || request.source)
      return std::move(answer.response);
    authorizer_.challenged(answer.response);
  }
}

Result<http::WebResponse> Repository::request(http::WebRequest request, const std::stop_token& stop,
                                              const http::WebSink& sink, std::vector<std::string> scopes,
                                              std::optional<int> attempts) {
  const int most = attempts.value_or(settings_.attempts);
  request.fields.add("User-Agent", fmt::format("skiff/{}", spec::program_version()));
  if (scopes.empty()) scopes.push_back(scope(name_.path()));
  auto wait = settings_.first_pause;
  bool begun = false;
  http::WebSink noticing;
  if (sink)
    noticing = [&](const http::WebResponse& head, std::string_view piece) {
      begun = true;
      return sink(head, piece);
    };
  for (int attempt = 1;; ++attempt) {
    auto response = once(request, scopes, stop, noticing);
    const bool may_pass = response.ok()
                              ? is_passing(response->status)
                              : response.error().kind() == Kind::Unavailable && response.error().code() == 0;
    // A body that was given cannot be given again, one that was taken may not be taken twice.
    if (!may_pass || begun || request.source || attempt >= most) return response;
    std::chrono::milliseconds time = wait;
    if (response.ok())
      if (const auto named = retry_after(*response)) time = *named;
    if (time > kLongestPause) return response;
    if (!pause(time, stop)) return Error(Kind::Cancelled, "context canceled");
    wait *= 2;
  }
}

Result<spec::oci::Descriptor> Repository::resolve(const std::string& tag_or_digest,
                                                  const std::stop_token& stop) {
  http::WebRequest request;
  request.method = "HEAD";
  request.url = url("manifests/" + tag_or_digest);
  request.fields.add("Accept", spec::oci::accepted_manifests());
  const auto response = TRY(this->request(request, stop));
  const auto digest = spec::Digest::parse(response.fields.get("Docker-Content-Digest"));
  if (!response.ok() || !digest.ok()) {
    // HEAD tells no reasons, and some registries no digest: the document itself does.
    // A registry that was not ready however often it was asked is asked for its reason once.
    const auto found =
        TRY(manifest(tag_or_digest, stop, is_passing(response.status) ? 1 : settings_.attempts));
    spec::oci::Descriptor descriptor;
    descriptor.media_type = found.media_type;
    descriptor.digest = found.digest;
    descriptor.size = static_cast<std::int64_t>(found.bytes.size());
    return descriptor;
  }
  // Whoever asks for a digest must not be led to another one.
  const auto wanted = spec::Digest::parse(tag_or_digest);
  if (wanted.ok() && *wanted != *digest) return no_match(tag_or_digest);
  spec::oci::Descriptor descriptor;
  descriptor.media_type = response.fields.get("Content-Type");
  descriptor.digest = *digest;
  descriptor.size = parse_int(response.fields.get("Content-Length")).value_or(0);
  return descriptor;
}

Result<ManifestBytes> Repository::manifest(const std::string& tag_or_digest, const std::stop_token& stop) {
  return manifest(tag_or_digest, stop, settings_.attempts);
}

Result<ManifestBytes> Repository::manifest(const std::string& tag_or_digest, const std::stop_token& stop,
                                           int attempts) {
  http::WebRequest request;
  request.url = url("manifests/" + tag_or_digest);
  request.fields.add("Accept", spec::oci::accepted_manifests());
  auto response = TRY(this->request(request, stop, {}, {}, attempts));
  const auto wanted = spec::Digest::parse(tag_or_digest);
  // Changed on the way: once more.
  if (response.ok() && wanted.ok() && spec::Digest::of(response.body) != *wanted)
    response = TRY(this->request(request, stop));
  if (!response.ok()) return refusal(response);
  if (response.body.size() > kLargestManifest)
    return fail(Kind::Exhausted, "the manifest {} is larger than {} bytes", tag_or_digest, kLargestManifest);
  ManifestBytes found;
  found.media_type = response.fields.get("Content-Type");
  found.digest = spec::Digest::of(response.body);
  found.bytes = std::move(response.body);
  if (wanted.ok() && *wanted != found.digest) return no_match(tag_or_digest);
  return found;
}

namespace {

struct TagList {
  std::vector<std::string> tags;
};
void describe(json::Fields& f, TagList& list) { f("tags", list.tags); }

/// The target of `Link: </v2/x/tags/list?last=a&n=100>; rel="next"`.
std::string next_page(const http::WebResponse& response) {
  const auto link = response.fields.get("Link");
  const auto begin = link.find('<');
  const auto end = link.find('>');
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) return "";
  return std::string(link.substr(begin + 1, end - begin - 1));
}

}  // namespace

Result<std::vector<std::string>> Repository::tags(const std::stop_token& stop) {
  std::vector<std::string> all;
  http::WebRequest request;
  request.url = url("tags/list");
  for (;;) {
    const auto response = TRY(this->request(request, stop));
    if (!response.ok()) return refusal(response);
    auto page = TRY_CONTEXT(json::decode<TagList>(response.body), "the registry's list of tags");
    std::move(page.tags.begin(), page.tags.end(), std::back_inserter(all));
    const std::string next = next_page(response);
    if (next.empty()) return all;
    if (page.tags.empty() || all.size() > kMostTags)
      return Error(Kind::Unavailable, "the registry's list of tags has no end");
    request.url = join_url(request.url, next);
    if (request.url.find("ns=") == std::string::npos) request.url = for_mirror(std::move(request.url));
  }
}

Result<spec::Digest> Repository::put_manifest(const std::string& tag_or_digest, const std::string& media_type,
                                              const std::string& bytes, const std::stop_token& stop) {
  http::WebRequest request;
  request.method = "PUT";
  request.url = url("manifests/" + tag_or_digest);
  request.fields.add("Content-Type", media_type);
  request.body_size = bytes.size();
  std::size_t at = 0;
  request.source = [&](char* buffer, std::size_t size) -> Result<std::size_t> {
    const std::size_t count = bytes.copy(buffer, size, at);
    at += count;
    return count;
  };
  const auto response = TRY(this->request(request, stop));
  if (!response.ok()) return refusal(response);
  const auto digest = spec::Digest::of(bytes);
  const auto known = response.fields.get("Docker-Content-Digest");
  if (!known.empty() && known != digest.to_string()) return no_digest();
  return digest;
}

Result<std::string> log_in(const Endpoint& endpoint, const Credentials& credentials,
                           const std::stop_token& stop) {
  const auto session = TRY(http::WebSession::open(endpoint.trust));
  http::WebRequest request;
  request.url = endpoint.url + "/v2/";
  auto response = TRY(session->perform(request, stop));
  Authorizer authorizer(credentials);
  std::string identity;
  if (response.status == 401) {
    authorizer.challenged(response);
    if (authorizer.scheme() == "bearer")
      identity = TRY_CONTEXT(authorizer.login(endpoint.trust, stop), "Get {}", quote(request.url));
    const std::string line = TRY(authorizer.line({}, endpoint.trust, stop));
    if (!line.empty()) request.fields.add("Authorization", line);
    response = TRY(session->perform(request, stop));
  }
  if (response.ok()) return identity;
  return fail(Kind::Forbidden, "login attempt to {} failed with status: {} {}", request.url, response.status,
              response.reason);
}

}  // namespace skiff::registry
