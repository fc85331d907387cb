#include "cli/version.h"

namespace skiff::cli {

std::string_view version() { return SKIFF_VERSION; }
std::string_view commit() { return SKIFF_COMMIT; }

}  // namespace skiff::cli
