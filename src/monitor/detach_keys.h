#pragma once

#include <string>
#include <string_view>

namespace skiff::monitor {

/// Finds the detach key sequence in what is typed at a terminal. Keys that may be the start of the sequence
/// are held back until it is clear whether they are.
class DetachKeys {
 public:
  explicit DetachKeys(std::string sequence) : sequence_(std::move(sequence)) {}

  struct Step {
    std::string input;      ///< for the program
    bool detached = false;  ///< the sequence was typed; what followed it is dropped
  };
  Step feed(std::string_view typed);
  /// The input ended: what was held back belongs to the program after all.
  std::string finish();

  bool enabled() const { return !sequence_.empty(); }

 private:
  std::string sequence_;
  std::size_t matched_ = 0;
};

}  // namespace skiff::monitor
