#include "sys/memory.h"

#include <gtest/gtest.h>

#include "base/strings.h"
#include "sys/file.h"

namespace skiff::sys {
namespace {

/// Pages of files in memory (statm(5), third field).
std::int64_t shared_pages() { return parse_int(split(*read_file("/proc/self/statm"), ' ')[2]).value_or(0); }

TEST(Memory, TrimGivesCodeBackAndTheProgramGoesOn) {
  const auto before = shared_pages();
  trim_memory();
  EXPECT_LT(shared_pages(), before);
  trim_memory();
  EXPECT_GT(shared_pages(), 0);
}

}  // namespace
}  // namespace skiff::sys
