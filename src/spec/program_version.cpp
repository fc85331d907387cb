#include "spec/program_version.h"

namespace skiff::spec {

std::string_view program_version() { return SKIFF_VERSION; }
std::string_view program_commit() { return SKIFF_COMMIT; }

}  // namespace skiff::spec
