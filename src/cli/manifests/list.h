#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "spec/docker/manifest_list.h"
#include "spec/reference.h"

namespace skiff::cli {

/// The list of `records` as it stands in the registry of `target`. InvalidArgument for a manifest of another
/// registry: the list names it by its digest alone.
Result<spec::docker::ManifestList> make_list(const std::vector<spec::docker::ManifestRecord>& records,
                                             const spec::Reference& target);
/// The very bytes that are shown and pushed.
std::string list_text(const spec::docker::ManifestList& list);

/// True for the pairs that Docker lets a manifest be for.
bool is_known_platform(std::string_view os, std::string_view architecture);

}  // namespace skiff::cli
