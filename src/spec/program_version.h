#pragma once

#include <string_view>

namespace skiff::spec {

/// This build's version ("0.1.0"), and the short hash and the time ("2026-01-31T12:00:00Z") of the commit it
/// was made from; "unknown" and "" when it was made outside a repository. The same commit gives the same
/// program.
std::string_view program_version();
std::string_view program_commit();
std::string_view program_time();

}  // namespace skiff::spec
