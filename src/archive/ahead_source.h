#pragma once

#include <array>
#include <condition_variable>
#include <string>

#include "archive/side_thread.h"
#include "archive/source.h"
#include "base/thread.h"

namespace skiff::archive {

/// Reads another source on a thread, a few pieces ahead of who reads this one: decompressing and hashing go
/// on beside the work on what came of it. Until this object is gone the other source is the thread's.
class AheadSource final : public Source {
 public:
  /// Both outlive it. The thread is busy until the other source has ended, or this object is gone.
  AheadSource(Source& inner, SideThread& thread);
  /// Waits for the piece that is being read.
  ~AheadSource() override;
  AheadSource(const AheadSource&) = delete;
  AheadSource& operator=(const AheadSource&) = delete;

  Result<std::string_view> next() override EXCLUDES(mutex_);
  /// Reads the rest. Afterwards the other source is the caller's again.
  Result<void> finish();

 private:
  /// As many as are worth it: the two sides are never far apart for long.
  static constexpr std::size_t kSlots = 4;
  void fill() EXCLUDES(mutex_);

  Source& inner_;
  SideThread& thread_;
  std::array<std::string, kSlots>
      slots_;  ///< those from taken_ to filled_ are the reader's, the others the thread's
  Mutex mutex_;
  std::condition_variable changed_;
  std::size_t filled_ GUARDED_BY(mutex_) = 0;  ///< pieces so far
  std::size_t taken_ GUARDED_BY(mutex_) = 0;   ///< pieces that the reader is done with
  bool holding_ = false;                       ///< the reader has the piece taken_
  bool ended_ GUARDED_BY(mutex_) = false;
  bool stopped_ GUARDED_BY(mutex_) = false;
  Result<void> outcome_ GUARDED_BY(mutex_);  ///< once ended_
};

}  // namespace skiff::archive
