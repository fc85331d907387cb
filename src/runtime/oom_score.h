#pragma once

#include <string>

namespace skiff::runtime {

/// Gives this process the OOM score `score` ("300"; "" leaves it) for as long as the object lives, so that a
/// child that is made meanwhile has it from birth. A child in a user namespace cannot set its own: until
/// execve its files in /proc belong to the host's root. Where raising and lowering is not allowed, nothing
/// happens.
class OomScoreForNow {
 public:
  explicit OomScoreForNow(const std::string& score);
  ~OomScoreForNow();
  OomScoreForNow(const OomScoreForNow&) = delete;
  OomScoreForNow& operator=(const OomScoreForNow&) = delete;

 private:
  std::string before_;  ///< "" when nothing was changed
};

}  // namespace skiff::runtime
