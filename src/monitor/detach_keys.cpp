#include "monitor/detach_keys.h"

namespace skiff::monitor {

DetachKeys::Step DetachKeys::feed(std::string_view typed) {
  Step step;
  if (!enabled()) {
    step.input = typed;
    return step;
  }
  for (const char key : typed) {
    while (true) {
      if (key == sequence_[matched_]) {
        ++matched_;
        break;
      }
      if (matched_ == 0) {
        step.input.push_back(key);
        break;
      }
      // The longest end of what was typed that is still a start of the sequence stays held back.
      std::size_t keep = matched_ - 1;
      while (keep > 0 && sequence_.compare(0, keep, sequence_, matched_ - keep, keep) != 0) --keep;
      step.input.append(sequence_, 0, matched_ - keep);
      matched_ = keep;
    }
    if (matched_ == sequence_.size()) {
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
