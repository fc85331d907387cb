#pragma once

#include <map>
#include <string>
#include <vector>

#include "http/fields.h"

namespace skiff::registry {

/// One of the ways in which a server wants to be told who asks (RFC 9110, 11.6.1).
struct Challenge {
  std::string scheme;                             ///< lower case: "bearer", "basic"
  std::map<std::string, std::string> parameters;  ///< names in lower case
};

/// All challenges of the WWW-Authenticate lines; what cannot be read is left out.
std::vector<Challenge> parse_challenges(const http::Fields& fields);

}  // namespace skiff::registry
