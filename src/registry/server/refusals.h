#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"

namespace skiff::registry::server {

/// The reasons for which a registry refuses (distribution spec 1.1, "Error Codes").
enum class Code : std::uint8_t {
  BlobUnknown,
  BlobUploadUnknown,
  DigestInvalid,
  ManifestBlobUnknown,
  ManifestInvalid,
  ManifestTooLarge,
  ManifestUnknown,
  NameInvalid,
  NameUnknown,
  PaginationInvalid,
  RangeInvalid,  ///< a chunk that is not the next one, a range beyond the end
  SizeInvalid,
  TagInvalid,
  Unauthorized,
  Denied,
  Unsupported,
  MethodUnknown,  ///< the endpoint has no such method
  UploadBusy,
  NoSpace,
  Unavailable,  ///< an upstream or the storage does not answer
  Unknown,
};

struct CodeFacts {
  int status;
  std::string_view name;     ///< "BLOB_UNKNOWN"
  std::string_view message;  ///< the usual words
};
/// The one table from codes to HTTP.
const CodeFacts& facts_of(Code code);

/// {"errors":[{"code":...,"message":...,"detail":...}]}. An empty `message` stands for the usual words.
std::string refusal_body(Code code, std::string_view message, const json::Value& detail);

}  // namespace skiff::registry::server
