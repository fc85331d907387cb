#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/thread.h"
#include "spec/docker/system.h"

namespace skiff::image {

/// Where the words of a pull or a push go, as Docker's engine says them. Called from several threads at once;
/// must not wait for anybody.
class Progress {
 public:
  virtual ~Progress() = default;
  virtual void line(spec::docker::ProgressLine line) = 0;

  /// A word about the whole: "Pulling from library/busybox", about the tag `id`.
  void message(std::string_view status, std::string_view id = {});
  /// Where one of the parts stands: "Pull complete".
  void action(std::string_view id, std::string_view status);
  void result(json::Value aux);
};

/// The bars of one part: lets a word through each tenth of a second, and the last one of each status. Not
/// thread-safe.
class Meter {
 public:
  Meter(Progress& progress, std::string id) : progress_(progress), id_(std::move(id)) {}
  void show(std::string_view status, std::uint64_t current, std::uint64_t total);

 private:
  Progress& progress_;
  const std::string id_;
  std::string status_;
  std::chrono::steady_clock::time_point begin_;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace skiff::image
