#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "registry/client/authorizer.h"
#include "registry/client/settings.h"
#include "spec/docker/registry.h"

namespace skiff::registry {

/// What a search term means: "host:port/words" asks that registry, everything else Docker Hub.
struct SearchTerm {
  std::string domain;  ///< "docker.io", "localhost:5000"
  std::string words;
};
/// InvalidArgument for a term with a scheme, in Docker's words.
Result<SearchTerm> parse_search_term(std::string_view term);

/// Asks a registry that can be searched, as Docker Hub can: GET /v1/search?q=<words>&n=<limit>, which no
/// specification names. InvalidArgument: a limit outside 1 to 100, a registry that is not there; Internal:
/// one that cannot be searched ("Unexpected status code 404"). The words are those of Docker's engine.
Result<std::vector<spec::docker::SearchResult>> search(const SearchTerm& term, int limit,
                                                       const Credentials& credentials,
                                                       const Settings& settings, const std::stop_token& stop);

}  // namespace skiff::registry
