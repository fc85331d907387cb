#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "registry/server/storage.h"
#include "spec/digest.h"

/// What the objects of a repository are called and hold: for those who read and write them.
namespace skiff::registry::server {

inline constexpr std::string_view kBlobs = "_blobs";
inline constexpr std::string_view kManifests = "_manifests";
inline constexpr std::string_view kTags = "_tags";
inline constexpr std::string_view kReferrers = "_referrers";

struct ManifestRecord {
  std::string media_type;
  std::uint64_t size = 0;
};
void describe(json::Fields& f, ManifestRecord& record);

std::string referrer_key(const std::string& name, const spec::Digest& subject, const spec::Digest& referrer);

/// The digests that a repository has of one kind.
Result<std::vector<spec::Digest>> linked(Storage& storage, const std::string& name, std::string_view kind);

/// Success where what was to be removed is gone already.
Result<void> ignore_missing(Result<void> removed);

}  // namespace skiff::registry::server
