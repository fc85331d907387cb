#include "http/web_error.h"

#include <openssl/x509_vfy.h>

#include <cerrno>
#include <cstring>

#include "base/strings.h"

namespace skiff::http {
namespace {

/// "host:port" of a URL.
std::string server_of(std::string_view url) {
  const bool secure = url.starts_with("https");
  const auto begin = url.find("://");
  if (begin != std::string_view::npos) url.remove_prefix(begin + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  if (const auto at = url.rfind('@'); at != std::string_view::npos) url.remove_prefix(at + 1);
  const auto colon = url.rfind(':');
  const bool has_port = colon != std::string_view::npos && url.find(']', colon) == std::string_view::npos;
  return std::string(url) + (has_port ? "" : secure ? ":443" : ":80");
}

std::string_view host_of(std::string_view server) { return server.substr(0, server.rfind(':')); }

std::string refused(const Curl& curl, CURL* handle, const std::string& server) {
  long number = 0;
  curl.get(handle, CURLINFO_OS_ERRNO, &number);
  if (number == 0) number = ECONNREFUSED;
  return fmt::format("dial tcp {}: connect: {}", server, to_lower(std::strerror(static_cast<int>(number))));
}

std::string untrusted(const Curl& curl, CURL* handle, const std::string& detail) {
  constexpr std::string_view kPrefix = "tls: failed to verify certificate: x509: ";
  long verdict = 0;
  curl.get(handle, CURLINFO_SSL_VERIFYRESULT, &verdict);
  switch (verdict) {
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return fmt::format("{}certificate signed by unknown authority", kPrefix);
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return fmt::format("{}certificate has expired or is not yet valid", kPrefix);
    default:
      return fmt::format("{}{}", kPrefix, detail);
  }
}

std::string reason(const Curl& curl, CURL* handle, CURLcode code, const std::string& server,
                   const std::string& detail) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return fmt::format("dial tcp: lookup {}: no such host", host_of(server));
    case CURLE_COULDNT_CONNECT:
      return refused(curl, handle, server);
    case CURLE_OPERATION_TIMEDOUT:
      return fmt::format("dial tcp {}: i/o timeout", server);
    case CURLE_PEER_FAILED_VERIFICATION:
      return untrusted(curl, handle, detail);
    case CURLE_SSL_CONNECT_ERROR:
      // What OpenSSL makes of an answer that is no TLS at all.
      if (detail.find("wrong version number") != std::string::npos ||
          detail.find("packet length too long") != std::string::npos)
        return "http: server gave HTTP response to HTTPS client";
      return fmt::format("tls: {}", detail);
    case CURLE_GOT_NOTHING:
      return "EOF";
    case CURLE_PARTIAL_FILE:
      return "unexpected EOF";
    default:
      return detail;
  }
}

/// What libcurl says of an answer that does not begin as HTTP does.
bool is_no_http(CURLcode code, const std::string& detail) {
  return code == CURLE_UNSUPPORTED_PROTOCOL && detail.find("HTTP/0.9") != std::string::npos;
}

/// As Go's net/http says it: "Get "https://host/": why".
std::string sentence(const std::string& method, const std::string& url, std::string_view why) {
  std::string verb = to_lower(method);
  verb[0] = static_cast<char>(verb[0] - 'a' + 'A');
  return fmt::format("{} {}: {}", verb, quote(url), why);
}

bool never_reached(CURLcode code) {
  return code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY ||
         code == CURLE_COULDNT_CONNECT || code == CURLE_PEER_FAILED_VERIFICATION ||
         code == CURLE_SSL_CONNECT_ERROR || code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL;
}

}  // namespace

Error transfer_error(const Curl& curl, CURL* handle, CURLcode code, const std::string& method,
                     const std::string& url, const std::string& detail) {
  if (is_no_http(code, detail)) return {Kind::Unavailable, sentence(method, url, "malformed HTTP response")};
  const std::string why =
      reason(curl, handle, code, server_of(url), detail.empty() ? curl.text(code) : detail);
  return {Kind::Unavailable, sentence(method, url, why), never_reached(code) ? ECONNREFUSED : 0};
}

Error cut_answer(const std::string& method, const std::string& url) {
  return {Kind::Unavailable, sentence(method, url, "unexpected EOF")};
}

}  // namespace skiff::http
