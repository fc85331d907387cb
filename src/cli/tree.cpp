#include "base/strings.h"
#include "cli/command.h"

namespace skiff::cli {
const std::vector<Entry>& entries() { static const std::vector<Entry> kEntries; return kEntries; }
}
