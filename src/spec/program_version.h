#pragma once

#include <string_view>

namespace skiff::spec {

/// This build's version ("0.1.0") and the short hash of the commit it was made from.
std::string_view program_version();
std::string_view program_commit();

}  // namespace skiff::spec
