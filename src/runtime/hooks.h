#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "spec/oci_runtime.h"

namespace skiff::runtime {

/// Runs hooks in the runtime's own namespaces (prestart, createRuntime, poststart, poststop) one after the
/// other, `state` as JSON on standard input. The first that fails, or passes its timeout, is the error; later
/// ones are not run. `name` is their member's: "error running createRuntime hook #0: exit status 1, ...".
Result<void> run_hooks(const std::vector<spec::oci::Hook>& hooks, std::string_view name,
                       const spec::oci::State& state);

/// As run_hooks, but every hook runs whatever the others did (poststop); the first error comes back.
Result<void> run_all_hooks(const std::vector<spec::oci::Hook>& hooks, std::string_view name,
                           const spec::oci::State& state);

}  // namespace skiff::runtime
