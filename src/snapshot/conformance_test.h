#pragma once

#include <functional>
#include <memory>
#include <string>

#include "snapshot/store.h"

namespace skiff::snapshot::testing {

/// Opens the implementation under test on a folder and a database; opening again on the same ones is a
/// restart.
struct Implementation {
  std::string name;
  std::function<Result<std::unique_ptr<Store>>(const std::string& root, meta::Database& database)> open;
};

}  // namespace skiff::snapshot::testing
