#include "registry/server/s3/signature.h"

#include <openssl/hmac.h>

#include <ctime>

#include "base/strings.h"
#include "http/fields.h"
#include "spec/digest.h"

namespace skiff::registry::server::s3 {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

std::string hmac(std::string_view key, std::string_view text) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), out, &size);
  return {reinterpret_cast<const char*>(out), size};
}

std::string sha256_hex(std::string_view text) { return std::string(spec::Digest::of(text).hex()); }

}  // namespace

std::string amz_date(Time time) {
  const std::time_t seconds =
      std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[20];
  return {text, std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts)};
}

std::string encode_path(std::string_view path) {
  std::vector<std::string> parts;
  for (const auto& part : split(path, '/')) parts.push_back(http::percent_encode(part));
  return join(parts, "/");
}

std::string encode_query(const std::map<std::string, std::string>& query) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : query)
    parts.push_back(http::percent_encode(name) + "=" + http::percent_encode(value));
  return join(parts, "&");
}

std::string authorization(const Request& request, const Credentials& credentials, std::string_view region,
                          Time time) {
  std::string headers;
  std::vector<std::string> names;
  for (const auto& [name, value] : request.headers) {
    headers += fmt::format("{}:{}\n", name, trim(value));
    names.push_back(name);
  }
  const std::string signed_names = join(names, ";");
  const std::string canonical =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, request.path, encode_query(request.query),
                  headers, signed_names, request.payload_digest);
  const std::string moment = amz_date(time);
  const std::string date = moment.substr(0, 8);
  const std::string scope = fmt::format("{}/{}/s3/aws4_request", date, region);
  const std::string to_sign = fmt::format("{}\n{}\n{}\n{}", kAlgorithm, moment, scope, sha256_hex(canonical));
  std::string key = hmac("AWS4" + credentials.secret, date);
  for (const std::string_view part : {region, std::string_view("s3"), std::string_view("aws4_request")})
    key = hmac(key, part);
  return fmt::format("{} Credential={}/{},SignedHeaders={},Signature={}", kAlgorithm, credentials.key_id,
                     scope, signed_names, to_hex(hmac(key, to_sign)));
}

}  // namespace skiff::registry::server::s3
