#include "registry/client/refusal.h"

#include <algorithm>
#include <vector>

#include "base/json.h"
#include "base/strings.h"

namespace skiff::registry {
namespace {

struct Entry {
  std::string code;
  std::string message;
};
void describe(json::Fields& f, Entry& entry) {
  f("code", entry.code);
  f("message", entry.message);
}

struct Body {
  std::vector<Entry> errors;
  std::string details;  ///< of registries and token servers that know no lists
};
void describe(json::Fields& f, Body& body) {
  f("errors", body.errors);
  f("details", body.details);
}

constexpr std::string_view kUnauthorized = "unauthorized: ";
constexpr std::string_view kTooMany = "toomanyrequests: ";
constexpr std::string_view kDenied = "denied: ";
constexpr std::string_view kManifestUnknown = "manifest unknown: ";
constexpr std::string_view kNameUnknown = "name unknown: ";
constexpr std::string_view kOtherDigest = "digest invalid: ";

Kind kind_of(int status) {
  switch (status) {
    case 401:
    case 403:
      return Kind::Forbidden;
    case 404:
      return Kind::NotFound;
    case 429:
      return Kind::Exhausted;
    default:
      return Kind::Unavailable;
  }
}

/// MANIFEST_UNKNOWN -> "manifest unknown".
std::string words_of(const std::string& code) {
  std::string words = to_lower(code);
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

/// What a body that is no list of errors says in plain words, as a proxy's may; a page for a browser does
/// not.
std::string_view words_in(const http::WebResponse& response, std::string_view otherwise) {
  const std::string_view text = trim(response.body);
  return text.empty() || text.size() > 512 || text.starts_with('<') || text.starts_with('{') ? otherwise
                                                                                             : text;
}

/// What the standard says for a status whose body says nothing (HEAD has none).
std::string plain(const http::WebResponse& response) {
  switch (response.status) {
    case 401:
      return fmt::format("{}{}", kUnauthorized, words_in(response, "authentication required"));
    case 403:
      return fmt::format("{}{}", kDenied, words_in(response, "requested access to the resource is denied"));
    case 429:
      return fmt::format("{}{}", kTooMany, words_in(response, "too many requests"));
    default:
      if (response.body.empty() || response.status >= 500)
        return fmt::format("received unexpected HTTP status: {} {}", response.status, response.reason);
      return fmt::format("error parsing HTTP {} response body: {}", response.status,
                         quote(std::string_view(response.body).substr(0, 512)));
  }
}

}  // namespace

Error refusal(const http::WebResponse& response) {
  const Kind kind = kind_of(response.status);
  auto body = json::decode<Body>(response.body);
  if (!body.ok()) return {kind, plain(response)};
  if (!body->errors.empty() && !body->errors.front().code.empty()) {
    const auto& [code, message] = body->errors.front();
    const std::string words = words_of(code);
    // A token may be good and not be good for this.
    if (words == "unauthorized" && response.status == 403)
      return {kind, fmt::format("{}{}", kDenied, message)};
    return {kind, fmt::format("{}: {}", words, message.empty() ? words : message)};
  }
  if (body->details.empty()) return {kind, plain(response)};
  const std::string_view words = response.status == 401   ? kUnauthorized
                                 : response.status == 403 ? kDenied
                                 : response.status == 429 ? kTooMany
                                                          : "unknown: ";
  return {kind, fmt::format("{}{}", words, body->details)};
}

Error pull_error(const Error& error, const spec::Reference& reference) {
  const std::string& message = error.message();
  if (message.starts_with(kDenied))
    return {
        Kind::NotFound,
        fmt::format("pull access denied for {}, repository does not exist or may require 'docker login': {}",
                    reference.familiar_name(), message)};
  if (message.starts_with(kManifestUnknown))
    return {Kind::NotFound, fmt::format("manifest for {} not found: {}", reference.familiar(), message)};
  if (message.starts_with(kNameUnknown))
    return {Kind::NotFound, fmt::format("repository {} not found: {}", reference.familiar_name(), message)};
  return error;
}

bool is_unauthorized(const Error& error) { return error.message().starts_with(kUnauthorized); }

bool is_too_many_requests(const Error& error) { return error.message().starts_with(kTooMany); }

bool is_other_digest(const Error& error) { return error.message().starts_with(kOtherDigest); }

bool is_passing(int status) {
  return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

std::optional<std::chrono::seconds> retry_after(const http::WebResponse& response) {
  const auto seconds = parse_uint(response.fields.get("Retry-After"));
  if (!seconds) return std::nullopt;
  return std::chrono::seconds(static_cast<std::int64_t>(std::min<std::uint64_t>(*seconds, 3600)));
}

}  // namespace skiff::registry
