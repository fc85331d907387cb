#include "registry/server/s3/client.h"

#include <thread>

#include "base/strings.h"
#include "registry/server/s3/xml.h"
#include "spec/digest.h"

namespace skiff::registry::server::s3 {
namespace {

constexpr int kAttempts = 4;
constexpr std::chrono::milliseconds kFirstPause{200};
constexpr std::size_t kMostIdle = 16;
constexpr std::string_view kSource = "x-amz-copy-source";

bool may_pass(int status) {
  return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

/// What a refusal means, with the store's own words.
Error refusal(const http::WebResponse& response, std::string_view what) {
  const std::string code = text_of(response.body, "Code");
  const std::string message = text_of(response.body, "Message");
  const Kind kind = response.status == 404   ? Kind::NotFound
                    : response.status == 403 ? Kind::Forbidden
                                             : Kind::Unavailable;
  return fail(kind, "object store: {}: {} {} {}", what, response.status, code, message);
}

http::BodySource source_of(std::string_view body) {
  return [body](char* buffer, std::size_t size) mutable -> Result<std::size_t> {
    const std::size_t count = body.copy(buffer, size);
    body.remove_prefix(count);
    return count;
  };
}

}  // namespace

Client::Client(Settings settings) : settings_(std::move(settings)) {
  const auto scheme = settings_.endpoint.find("://");
  host_ = settings_.endpoint.substr(scheme == std::string::npos ? 0 : scheme + 3);
}

std::string Client::path_of(const std::string& key) const {
  std::string path = "/" + settings_.bucket;
  if (!key.empty()) path += "/" + settings_.prefix + key;
  return encode_path(path);
}

http::WebRequest Client::request_for(const Call& call) const {
  const Time time = now();
  Request to_sign{call.method, path_of(call.key), call.query, call.headers, {}};
  to_sign.payload_digest = spec::Digest::of(call.body).hex();
  to_sign.headers["host"] = host_;
  to_sign.headers["x-amz-date"] = amz_date(time);
  to_sign.headers["x-amz-content-sha256"] = to_sign.payload_digest;
  if (!settings_.credentials.session_token.empty())
    to_sign.headers["x-amz-security-token"] = settings_.credentials.session_token;
  http::WebRequest request;
  request.method = call.method;
  request.url = settings_.endpoint + to_sign.path;
  if (!call.query.empty()) request.url += "?" + encode_query(call.query);
  for (const auto& [name, value] : to_sign.headers)
    if (name != "host") request.fields.add(name, value);
  request.fields.add("Authorization", authorization(to_sign, settings_.credentials, settings_.region, time));
  if (!call.body.empty()) {
    request.source = source_of(call.body);
    request.body_size = call.body.size();
  }
  return request;
}

Result<http::WebResponse> Client::once(const Call& call, const http::WebSink& sink) {
  std::unique_ptr<http::WebSession> session;
  {
    const MutexLock lock(mutex_);
    if (!idle_.empty()) {
      session = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (!session) session = TRY(http::WebSession::open({}));
  auto response = session->perform(request_for(call), {}, sink);
  const MutexLock lock(mutex_);
  if (idle_.size() < kMostIdle) idle_.push_back(std::move(session));
  return response;
}

Result<http::WebResponse> Client::perform(const Call& call, const http::WebSink& sink) {
  auto pause = kFirstPause;
  for (int attempt = 1;; ++attempt) {
    bool begun = false;
    std::string refused;
    const auto take = [&](const http::WebResponse& head, std::string_view piece) -> Result<void> {
      if (!head.ok()) {
        refused += piece;
        return {};
      }
      begun = true;
      return sink(head, piece);
    };
    auto response = once(call, sink ? http::WebSink(take) : http::WebSink());
    if (response.ok() && response->ok()) return response;
    if (response.ok() && sink) response->body = std::move(refused);
    const bool passing =
        response.ok() ? may_pass(response->status) : response.error().kind() == Kind::Unavailable;
    if (!passing || begun || attempt == kAttempts) {
      if (!response.ok()) return response;
      return refusal(*response, call.method + " " + call.key);
    }
    std::this_thread::sleep_for(pause);
    pause *= 2;
  }
}

Result<void> Client::put(const std::string& key, std::string_view bytes) {
  TRY(perform({"PUT", key, {}, {}, bytes}));
  return {};
}

Result<Object> Client::head(const std::string& key) {
  const auto response = TRY(perform({"HEAD", key, {}, {}, {}}));
  const auto size = parse_uint(response.fields.get("Content-Length"));
  return Object{key, size.value_or(0), Time(std::chrono::seconds(response.modified.value_or(0)))};
}

Result<void> Client::get(const std::string& key, std::uint64_t first, std::uint64_t length,
                         const std::function<Result<void>(std::string_view)>& sink) {
  if (length == 0) return {};
  Call call{"GET", key, {}, {{"range", fmt::format("bytes={}-{}", first, first + length - 1)}}, {}};
  TRY(perform(call, [&](const http::WebResponse&, std::string_view piece) { return sink(piece); }));
  return {};
}

Result<std::string> Client::get_all(const std::string& key) {
  std::string out;
  const auto take = [&](const http::WebResponse&, std::string_view piece) {
    out += piece;
    return success();
  };
  TRY(perform({"GET", key, {}, {}, {}}, take));
  return out;
}

Result<void> Client::remove(const std::string& key) {
  TRY(perform({"DELETE", key, {}, {}, {}}));
  return {};
}

Result<void> Client::copy(const std::string& from, const std::string& to) {
  // An object may be copied onto itself only when something of it changes: its metadata is replaced, by none.
  const auto response = TRY(perform(
      {"PUT", to, {}, {{std::string(kSource), path_of(from)}, {"x-amz-metadata-directive", "REPLACE"}}, {}}));
  // A copy may fail after the status was sent.
  if (!text_of(response.body, "Code").empty()) return refusal(response, "copy " + from);
  return {};
}

Result<Listing> Client::list(const std::string& prefix, bool delimited) {
  Listing out;
  std::string continuation;
  do TRY(list_page(prefix, delimited, continuation, out));
  while (!continuation.empty());
  return out;
}

Result<void> Client::list_page(const std::string& prefix, bool delimited, std::string& continuation,
                               Listing& out) {
  Call call{"GET", "", {{"list-type", "2"}, {"prefix", settings_.prefix + prefix}}, {}, {}};
  if (delimited) call.query["delimiter"] = "/";
  if (!continuation.empty()) call.query["continuation-token"] = continuation;
  std::string xml;
  TRY(perform(call, [&](const http::WebResponse&, std::string_view piece) {
    xml += piece;
    return success();
  }));
  for (const auto entry : elements(xml, "Contents"))
    out.objects.push_back({text_of(entry, "Key").substr(settings_.prefix.size()),
                           parse_uint(text_of(entry, "Size")).value_or(0),
                           parse_rfc3339(text_of(entry, "LastModified")).value_or(Time{})});
  for (const auto entry : elements(xml, "CommonPrefixes"))
    out.folders.push_back(text_of(entry, "Prefix").substr(settings_.prefix.size()));
  continuation = text_of(xml, "IsTruncated") == "true" ? text_of(xml, "NextContinuationToken") : "";
  return {};
}

Result<std::string> Client::begin_parts(const std::string& key) {
  const auto response = TRY(perform({"POST", key, {{"uploads", ""}}, {}, {}}));
  auto upload = text_of(response.body, "UploadId");
  if (upload.empty()) return refusal(response, "begin an upload of " + key);
  return upload;
}

Result<std::string> Client::put_part(const std::string& key, const std::string& upload, int number,
                                     std::string_view bytes) {
  const auto response =
      TRY(perform({"PUT", key, {{"partNumber", std::to_string(number)}, {"uploadId", upload}}, {}, bytes}));
  return std::string(response.fields.get("ETag"));
}

Result<std::string> Client::copy_part(const std::string& key, const std::string& upload, int number,
                                      const std::string& from) {
  const auto response = TRY(perform({"PUT",
                                     key,
                                     {{"partNumber", std::to_string(number)}, {"uploadId", upload}},
                                     {{std::string(kSource), path_of(from)}},
                                     {}}));
  auto tag = text_of(response.body, "ETag");
  if (tag.empty()) return refusal(response, "copy " + from);
  return tag;
}

Result<void> Client::complete_parts(const std::string& key, const std::string& upload,
                                    const std::vector<std::string>& tags) {
  std::string body = "<CompleteMultipartUpload>";
  for (std::size_t i = 0; i < tags.size(); ++i)
    body += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", i + 1, tags[i]);
  body += "</CompleteMultipartUpload>";
  const auto response = TRY(perform({"POST", key, {{"uploadId", upload}}, {}, body}));
  if (!text_of(response.body, "Code").empty()) return refusal(response, "complete " + key);
  return {};
}

Result<void> Client::abort_parts(const std::string& key, const std::string& upload) {
  TRY(perform({"DELETE", key, {{"uploadId", upload}}, {}, {}}));
  return {};
}

}  // namespace skiff::registry::server::s3
