#include "engine/registries.h"

#include <limits>

#include "base/strings.h"
#include "engine/events.h"
#include "engine/image_budget.h"
#include "registry/client/endpoint.h"
#include "registry/client/repository.h"
#include "registry/client/search.h"
#include "spec/manifest.h"

namespace skiff::engine {

registry::Credentials credentials_of(const spec::docker::AuthConfig& config) {
  return {config.username, config.password, config.identity_token, config.registry_token};
}

Result<void> Registries::pull(const image::PullRequest& request, image::Progress& progress,
                              const std::stop_token& stop) {
  const Time began = now();
  TRY(puller_.pull(request, progress, stop));
  if (parts_.budget) parts_.budget->keep(began);
  events_.publish("image", "pull", request.reference.familiar(),
                  {{"name", request.reference.familiar_name()}});
  return {};
}

Result<void> Registries::push(const image::PushRequest& request, image::Progress& progress,
                              const std::stop_token& stop) {
  TRY(pusher_.push(request, progress, stop));
  events_.publish("image", "push", request.reference.familiar(),
                  {{"name", request.reference.familiar_name()}});
  return {};
}

Result<spec::docker::AuthAnswer> Registries::log_in(const spec::docker::AuthConfig& config,
                                                    const std::stop_token& stop) {
  const std::string domain = registry::registry_of(config.server_address);
  // Also because the name becomes that of a folder of certificates.
  TRY_CONTEXT(spec::Reference::parse(domain + "/x"), "invalid registry address {}", config.server_address);
  std::optional<Error> last;
  for (const auto& way :
       TRY(registry::endpoints(domain, registry::Purpose::Push, parts_.config.registries))) {
    const auto identity = registry::log_in(way, credentials_of(config), stop);
    if (identity.ok()) return spec::docker::AuthAnswer{*identity, "Login Succeeded"};
    last = identity.error();
    if (last->kind() != Kind::Unavailable) break;
  }
  return *last;
}

namespace {

constexpr std::int64_t kUsualResults = 25;

/// The most that one of the "stars" filters asks for.
Result<std::int64_t> least_stars(const Filters& filters) {
  std::int64_t least = 0;
  for (const std::string& text : filters.values("stars")) {
    const auto stars = parse_int(text);
    if (!stars)
      return fail(Kind::InvalidArgument,
                  "invalid filter 'stars={}': strconv.Atoi: parsing {}: invalid syntax", text, quote(text));
    least = std::max(least, *stars);
  }
  return least;
}

}  // namespace

Result<std::vector<spec::docker::SearchResult>> Registries::search(std::string_view term,
                                                                   std::optional<std::int64_t> limit,
                                                                   const Filters& filters,
                                                                   const registry::Credentials& credentials,
                                                                   const std::stop_token& stop) {
  TRY(filters.check({"is-automated", "is-official", "stars"}));
  // Nothing is, since Docker Hub stopped building.
  if (TRY(filters.boolean("is-automated", false))) return std::vector<spec::docker::SearchResult>();
  const bool official = TRY(filters.boolean("is-official", false));
  const std::int64_t stars = TRY(least_stars(filters));
  const std::int64_t most = limit.value_or(0) == 0 ? kUsualResults : *limit;
  auto found =
      TRY(registry::search(TRY(registry::parse_search_term(term)),
                           static_cast<int>(std::min<std::int64_t>(most, std::numeric_limits<int>::max())),
                           credentials, parts_.config.registries, stop));
  std::erase_if(found, [&](const spec::docker::SearchResult& result) {
    return (filters.has("is-official") && result.is_official != official) || result.star_count < stars;
  });
  for (auto& result : found) result.is_automated = false;
  return found;
}

Result<spec::docker::DistributionInspect> Registries::inspect(const spec::Reference& reference,
                                                              const registry::Credentials& credentials,
                                                              const std::stop_token& stop) {
  const auto repository = TRY(registry::Repository::connect(reference, registry::Purpose::Pull, credentials,
                                                            parts_.config.registries, stop));
  const std::string name = reference.digest() ? reference.digest()->to_string() : reference.tag();
  spec::docker::DistributionInspect answer;
  answer.descriptor = TRY(repository->resolve(name, stop));
  const auto document = TRY(repository->manifest(answer.descriptor.digest.to_string(), stop));
  answer.descriptor.media_type = document.media_type;
  answer.descriptor.size = static_cast<std::int64_t>(document.bytes.size());
  const auto parsed = TRY(spec::oci::parse_document(document.bytes, document.media_type));
  if (const auto* index = std::get_if<spec::oci::Index>(&parsed)) {
    for (const auto& manifest : index->manifests)
      if (manifest.platform) answer.platforms.push_back(*manifest.platform);
    return answer;
  }
  const auto& manifest = std::get<spec::oci::Manifest>(parsed);
  if (!spec::oci::is_image_config(manifest.config.media_type)) return answer;
  const std::string config = TRY(repository->read_blob(manifest.config, stop));
  answer.platforms.push_back(
      TRY_CONTEXT(json::decode<spec::oci::Image>(config), "invalid image configuration").platform);
  return answer;
}

}  // namespace skiff::engine
