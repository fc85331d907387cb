#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "spec/docker/system.h"

namespace skiff::spec::docker {

/// Docker's bar: "[======>      ]  1.2MB/3MB 5s". `columns` is the terminal's width: with at most 110 the bar
/// itself is left out, with at most 50 the time left too. `elapsed` gives the time left. "" when nothing has
/// happened yet.
std::string progress_bar(const ProgressDetail& detail, int columns,
                         std::optional<std::chrono::nanoseconds> elapsed = std::nullopt);

}  // namespace skiff::spec::docker
