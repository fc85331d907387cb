#include "spec/program_version.h"

namespace skiff::spec {

std::string_view program_version() { return SKIFF_VERSION; }
std::string_view program_commit() { return SKIFF_COMMIT; }
std::string_view program_time() { return SKIFF_COMMIT_TIME; }

}  // namespace skiff::spec
