#pragma once

#include <string_view>

namespace skiff::cli {

/// The release, as CMakeLists.txt names it.
std::string_view version();
/// Short commit id the program was built from; "unknown" outside a repository.
std::string_view commit();

}  // namespace skiff::cli
