#include "runtime/oom_score.h"

#include "base/strings.h"
#include "sys/file.h"

namespace skiff::runtime {
namespace {

constexpr const char* kFile = "/proc/self/oom_score_adj";

}  // namespace

OomScoreForNow::OomScoreForNow(const std::string& score) {
  if (score.empty()) return;
  const auto before = sys::read_file(kFile);
  if (!before || trim(*before) == score) return;
  if (sys::write_existing(kFile, score)) before_ = trim(*before);
}

OomScoreForNow::~OomScoreForNow() {
  if (!before_.empty()) (void)sys::write_existing(kFile, before_);
}

}  // namespace skiff::runtime
