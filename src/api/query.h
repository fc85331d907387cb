#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace skiff::api {

/// The parameters behind the "?" of a request, decoded. Reading them is as lenient as Docker's engine is.
class Query {
 public:
  Query() = default;
  static Query parse(std::string_view text);

  bool has(std::string_view name) const;
  /// The first value, or "".
  const std::string& get(std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;

  /// "", "0", "no", "false" and "none" in any case are false, everything else is true.
  bool boolean(std::string_view name, bool otherwise = false) const;
  /// InvalidArgument in the words of Go's strconv.
  Result<std::optional<std::int64_t>> integer(std::string_view name) const;
  /// A moment as logs and events take it; absent for "" and "0".
  Result<std::optional<Time>> time(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> parameters_;
};

}  // namespace skiff::api
