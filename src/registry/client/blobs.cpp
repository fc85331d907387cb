#include "base/strings.h"
#include "registry/client/refusal.h"
#include "registry/client/repository.h"
#include "registry/client/urls.h"

/// The blobs of a repository: read, looked for, mounted, uploaded.
namespace skiff::registry {
namespace {

constexpr std::int64_t kLargestSmallBlob = 8 << 20;

/// Where the body of a 206 begins: "bytes 100-199/200".
std::optional<std::uint64_t> range_start(const http::WebResponse& response) {
  std::string_view text = response.fields.get("Content-Range");
  if (!text.starts_with("bytes ")) return std::nullopt;
  text.remove_prefix(6);
  return parse_uint(trim(text.substr(0, text.find('-'))));
}

}  // namespace

Result<std::string> Repository::read_blob(const spec::oci::Descriptor& blob, const std::stop_token& stop) {
  if (blob.size > kLargestSmallBlob)
    return fail(Kind::Exhausted, "blob {} has {} bytes, too many for a configuration",
                blob.digest.to_string(), blob.size);
  http::WebRequest request;
  request.url = url("blobs/" + blob.digest.to_string());
  auto response = TRY(this->request(request, stop));
  // Changed on the way: once more.
  if (response.ok() && spec::Digest::of(response.body) != blob.digest)
    response = TRY(this->request(request, stop));
  if (!response.ok()) return refusal(response);
  if (spec::Digest::of(response.body) != blob.digest)
    return fail(Kind::DataLoss, "image config verification failed for digest {}", blob.digest.to_string());
  return std::move(response.body);
}

Result<void> Repository::read_blob(const spec::Digest& digest, const BlobRange& range, const BlobSink& sink,
                                   const std::stop_token& stop) {
  const std::uint64_t offset = range.offset;
  http::WebRequest request;
  request.url = url("blobs/" + digest.to_string());
  if (range.end)
    request.fields.add("Range", fmt::format("bytes={}-{}", offset, *range.end - 1));
  else if (offset > 0)
    request.fields.add("Range", fmt::format("bytes={}-", offset));
  std::optional<std::uint64_t> at;
  const auto response = TRY(this->request(
      request, stop,
      [&](const http::WebResponse& head, std::string_view piece) -> Result<void> {
        if (!at) {
          at = head.status == 206 ? range_start(head) : std::optional<std::uint64_t>(0);
          if (!at || *at > offset)
            return fail(Kind::Unavailable,
                        "the registry sent another part of {} than the one that was asked for",
                        digest.to_string());
          if (head.status == 206 && range.ranged) range.ranged();
        }
        TRY(sink(*at, piece));
        *at += piece.size();
        return {};
      },
      {}, range.attempts));
  // "Range not satisfiable": everything is here already; the digest will tell.
  if (response.ok() || (response.status == 416 && offset > 0)) return {};
  return refusal(response);
}

Result<std::string> Repository::read_range(const spec::Digest& digest, std::uint64_t offset, std::size_t size,
                                           const std::stop_token& stop) {
  http::WebRequest request;
  request.url = url("blobs/" + digest.to_string());
  request.fields.add("Range", fmt::format("bytes={}-{}", offset, offset + size - 1));
  std::string bytes;
  bool begun = false;
  const auto response = TRY(this->request(
      request, stop, [&](const http::WebResponse& head, std::string_view piece) -> Result<void> {
        const auto at = head.status == 206 ? range_start(head) : std::nullopt;
        if (!begun && at != offset)
          return fail(Kind::Unsupported, "the registry does not give a part of {}", digest.to_string());
        begun = true;
        if (piece.size() > size - bytes.size())
          return fail(Kind::Unavailable, "the registry sent more of {} than was asked for",
                      digest.to_string());
        bytes.append(piece);
        return {};
      }));
  if (!response.ok()) return refusal(response);
  if (bytes.size() == size) return bytes;
  return fail(Kind::Unavailable, "the registry sent {} of {} bytes of {}: unexpected EOF", bytes.size(), size,
              digest.to_string());
}

Result<std::optional<std::uint64_t>> Repository::blob_size(const spec::Digest& digest,
                                                           const std::stop_token& stop) {
  http::WebRequest request;
  request.method = "HEAD";
  request.url = url("blobs/" + digest.to_string());
  const auto response = TRY(this->request(request, stop));
  if (response.status == 404) return std::optional<std::uint64_t>();
  if (!response.ok()) return refusal(response);
  return std::optional<std::uint64_t>(parse_uint(response.fields.get("Content-Length")).value_or(0));
}

Result<bool> Repository::mount(const spec::Digest& digest, const std::string& from_path,
                               const std::stop_token& stop) {
  http::WebRequest request;
  request.method = "POST";
  request.url = with_query(url("blobs/uploads/"),
                           fmt::format("mount={}&from={}", http::percent_encode(digest.to_string()),
                                       http::percent_encode(from_path)));
  const auto response = TRY(this->request(request, stop, {}, {scope(name_.path()), scope(from_path)}));
  if (response.status == 201) return true;
  // Not mounted: the registry has begun an upload, or may not say that the other one is there.
  if (response.status == 202) {
    http::WebRequest end;
    end.method = "DELETE";
    end.url = TRY(location_of(response, request.url));
    (void)this->request(end, stop);  // it times out on its own, too
  }
  return false;
}

Result<std::string> Repository::start_upload(const std::stop_token& stop) {
  http::WebRequest request;
  request.method = "POST";
  request.url = url("blobs/uploads/");
  const auto response = TRY(this->request(request, stop));
  if (response.status != 202) return refusal(response);
  return location_of(response, request.url);
}

/// The bytes in one PATCH, which needs no size beforehand, and then the digest in a PUT.
Result<void> Repository::upload(Upload upload, const std::stop_token& stop) {
  http::WebRequest patch;
  patch.method = "PATCH";
  patch.url = TRY(start_upload(stop));
  patch.fields.add("Content-Type", "application/octet-stream");
  patch.source = std::move(upload.source);
  patch.body_size = upload.size;
  const auto patched = TRY(this->request(patch, stop));
  if (!patched.ok()) return refusal(patched);
  http::WebRequest put;
  put.method = "PUT";
  const auto digest = upload.digest();
  put.url =
      with_query(TRY(location_of(patched, patch.url)), "digest=" + http::percent_encode(digest.to_string()));
  const auto done = TRY(this->request(put, stop));
  if (done.ok()) return {};
  // An answer that was lost: the upload is over, since the blob is there.
  if (done.status == 404 && TRY(blob_size(digest, stop))) return {};
  return refusal(done);
}

}  // namespace skiff::registry
