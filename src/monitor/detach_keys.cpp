#include "monitor/detach_keys.h"

namespace skiff::monitor {

DetachKeys::Step DetachKeys::feed(std::string_view typed) {
  Step step;
  if (!enabled()) {
    step.input = typed;
    return step;
  }
  for (const char key : typed) {
    if (key != sequence_[matched_]) {
      // As Docker: the key that breaks the sequence does not begin it anew, so ctrl-p twice is passed on at
      // once.
      step.input.append(sequence_, 0, matched_);
      step.input.push_back(key);
      matched_ = 0;
    } else if (++matched_ == sequence_.size()) {
      matched_ = 0;
      step.detached = true;
      return step;
    }
  }
  return step;
}

std::string DetachKeys::finish() {
  std::string rest = sequence_.substr(0, matched_);
  matched_ = 0;
  return rest;
}

}  // namespace skiff::monitor
