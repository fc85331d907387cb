#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace skiff::registry::server::s3 {

struct Credentials {
  std::string key_id;
  std::string secret;
  std::string session_token;  ///< of temporary credentials, or ""
};

/// What AWS Signature Version 4 is computed over.
struct Request {
  std::string method;
  std::string path;                            ///< encoded, begins with '/'
  std::map<std::string, std::string> query;    ///< not encoded
  std::map<std::string, std::string> headers;  ///< names in lower case; "host" among them
  std::string payload_digest;                  ///< sha256 of the body, hexadecimal
};

/// The value of the `Authorization` header ("Signature Version 4 signing process" in Amazon's S3 reference).
/// `request.headers` holds "x-amz-date" with the same `time`.
std::string authorization(const Request& request, const Credentials& credentials, std::string_view region,
                          Time time);

/// "20150830T123600Z"
std::string amz_date(Time time);
/// The path of a key: each character but unreserved ones and '/' escaped.
std::string encode_path(std::string_view path);
/// "a=b&c=d", sorted and encoded.
std::string encode_query(const std::map<std::string, std::string>& query);

}  // namespace skiff::registry::server::s3
