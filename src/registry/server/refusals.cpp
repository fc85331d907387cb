#include "registry/server/refusals.h"

#include <array>

namespace skiff::registry::server {
namespace {

struct Row {
  Code code;
  CodeFacts facts;
};

constexpr std::array kTable = {
    Row{Code::BlobUnknown, {404, "BLOB_UNKNOWN", "blob unknown to registry"}},
    Row{Code::BlobUploadUnknown, {404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry"}},
    Row{Code::DigestInvalid, {400, "DIGEST_INVALID", "provided digest did not match uploaded content"}},
    Row{Code::ManifestBlobUnknown, {404, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry"}},
    Row{Code::ManifestInvalid, {400, "MANIFEST_INVALID", "manifest invalid"}},
    Row{Code::ManifestTooLarge, {413, "MANIFEST_INVALID", "manifest too large"}},
    Row{Code::ManifestUnknown, {404, "MANIFEST_UNKNOWN", "manifest unknown"}},
    Row{Code::NameInvalid, {400, "NAME_INVALID", "invalid repository name"}},
    Row{Code::NameUnknown, {404, "NAME_UNKNOWN", "repository name not known to registry"}},
    Row{Code::PaginationInvalid, {400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested"}},
    Row{Code::RangeInvalid, {416, "RANGE_INVALID", "invalid content range"}},
    Row{Code::SizeInvalid, {400, "SIZE_INVALID", "provided length did not match content length"}},
    Row{Code::TagInvalid, {400, "TAG_INVALID", "manifest tag did not match URI"}},
    Row{Code::Unauthorized, {401, "UNAUTHORIZED", "authentication required"}},
    Row{Code::Denied, {403, "DENIED", "requested access to the resource is denied"}},
    Row{Code::Unsupported, {405, "UNSUPPORTED", "The operation is unsupported."}},
    Row{Code::MethodUnknown, {405, "UNSUPPORTED", "The operation is unsupported."}},
    Row{Code::UploadBusy, {409, "BLOB_UPLOAD_INVALID", "another request is writing to this upload"}},
    Row{Code::NoSpace, {507, "UNKNOWN", "no space is left"}},
    Row{Code::Unavailable, {503, "UNAVAILABLE", "service unavailable"}},
    Row{Code::Unknown, {500, "UNKNOWN", "unknown error"}},
};

}  // namespace

const CodeFacts& facts_of(Code code) {
  for (const auto& row : kTable)
    if (row.code == code) return row.facts;
  return kTable.back().facts;
}

std::string refusal_body(Code code, std::string_view message, const json::Value& detail) {
  const auto& facts = facts_of(code);
  json::Object error;
  error["code"] = facts.name;
  error["message"] = message.empty() ? facts.message : message;
  if (!detail.is_null()) error["detail"] = detail;
  json::Object body;
  body["errors"] = json::Array{std::move(error)};
  return json::to_text(body) + "\n";
}

}  // namespace skiff::registry::server
