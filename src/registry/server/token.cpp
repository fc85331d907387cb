#include "registry/server/token.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>

#include "base/base64.h"
#include "base/json.h"
#include "base/strings.h"
#include "sys/file.h"

namespace skiff::registry::server {
namespace {

constexpr std::size_t kMostToken = 64 << 10;
constexpr std::size_t kMostKeys = 1 << 20;
constexpr std::chrono::seconds kLeeway{60};  ///< for clocks that differ
constexpr int kCoordinate = 32;              ///< bytes of r and s in ES256 (RFC 7518, 3.4)

struct FreeSignature {
  void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
};

/// A JWT has r and s one behind the other; OpenSSL wants them in DER.
std::string to_der(std::string_view raw) {
  if (raw.size() != 2 * kCoordinate) return {};
  const auto* bytes = reinterpret_cast<const unsigned char*>(raw.data());
  const std::unique_ptr<ECDSA_SIG, FreeSignature> signature(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(bytes, kCoordinate, nullptr);
  BIGNUM* s = BN_bin2bn(bytes + kCoordinate, kCoordinate, nullptr);
  if (!signature || ECDSA_SIG_set0(signature.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return {};
  }
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  if (size <= 0) return {};
  std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

/// True when `key` can have made signatures of this algorithm.
bool fits(std::string_view algorithm, EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      return algorithm == "RS256";
    case EVP_PKEY_EC:
      return algorithm == "ES256" && EVP_PKEY_get_bits(key) == 256;
    case EVP_PKEY_ED25519:
      return algorithm == "EdDSA";
    default:
      return false;
  }
}

struct FreeDigest {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

Error refused(std::string_view why) { return fail(Kind::Forbidden, "invalid token: {}", why); }

struct Header {
  std::string algorithm;
};
void describe(json::Fields& f, Header& header) { f("alg", header.algorithm); }

/// Seconds since 1970, which may be written with a fraction.
void seconds_field(json::Fields& f, std::string_view name, std::int64_t& seconds) {
  double value = static_cast<double>(seconds);
  f(name, value);
  constexpr double kMost = 9e15;  // beyond any date, and exact in a double
  seconds = static_cast<std::int64_t>(std::clamp(value, -kMost, kMost));
}

Result<std::string> decode_part(std::string_view text) {
  auto bytes = decode_base64(text);
  if (!bytes) return refused("it is not base64");
  return *std::move(bytes);
}

}  // namespace

void describe(json::Fields& f, Grant& grant) {
  f("type", grant.type);
  f("name", grant.name);
  f("actions", grant.actions);
}

void describe(json::Fields& f, Claims& claims) {
  f("iss", claims.issuer);
  f("sub", claims.subject);
  // One audience may stand alone (RFC 7519, 4.1.3).
  json::Value audience;
  f("aud", audience);
  if (audience.is_string()) claims.audience = {std::string(audience.get_string())};
  if (audience.is_array()) {
    for (const auto& value : audience.get_array())
      if (value.is_string()) claims.audience.emplace_back(value.get_string());
  }
  seconds_field(f, "exp", claims.expires);
  seconds_field(f, "nbf", claims.not_before);
  f("access", claims.access);
}

void TokenVerifier::Free::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }
TokenVerifier::TokenVerifier(TokenSettings settings) : settings_(std::move(settings)) {}
TokenVerifier::~TokenVerifier() = default;

Result<std::unique_ptr<TokenVerifier>> TokenVerifier::create(const TokenSettings& settings) {
  std::unique_ptr<TokenVerifier> out(new TokenVerifier(settings));
  const std::string text = TRY(sys::read_file(settings.keys, kMostKeys));
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free);
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* bytes = nullptr;
  long size = 0;
  while (bio && PEM_read_bio(bio.get(), &name, &header, &bytes, &size) == 1) {
    const unsigned char* at = bytes;
    EVP_PKEY* key = nullptr;
    if (std::string_view(name) == PEM_STRING_X509) {
      if (X509* certificate = d2i_X509(nullptr, &at, size)) {
        key = X509_get_pubkey(certificate);
        X509_free(certificate);
      }
    } else if (std::string_view(name) == PEM_STRING_PUBLIC) {
      key = d2i_PUBKEY(nullptr, &at, size);
    }
    if (key) out->keys_.emplace_back(key);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(bytes);
  }
  if (out->keys_.empty())
    return fail(Kind::InvalidArgument, "{} holds no certificate and no public key", settings.keys);
  return out;
}

bool TokenVerifier::is_signed(std::string_view algorithm, std::string_view text,
                              std::string_view signature) const {
  const std::string der = algorithm == "ES256" ? to_der(signature) : std::string(signature);
  for (const auto& key : keys_) {
    if (!fits(algorithm, key.get())) continue;
    const std::unique_ptr<EVP_MD_CTX, FreeDigest> context(EVP_MD_CTX_new());
    const EVP_MD* const method = algorithm == "EdDSA" ? nullptr : EVP_sha256();
    if (EVP_DigestVerifyInit(context.get(), nullptr, method, nullptr, key.get()) == 1 &&
        EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(der.data()), der.size(),
                         reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1)
      return true;
  }
  return false;
}

Result<Claims> TokenVerifier::verify(std::string_view token, Time at) const {
  if (token.size() > kMostToken) return refused("it is too long");
  const auto end = token.rfind('.');
  const auto middle = token.find('.');
  if (end == std::string_view::npos || middle == end) return refused("it has not three parts");
  const auto header = json::decode<Header>(TRY(decode_part(token.substr(0, middle))));
  if (!header.ok()) return refused("its header is no JSON");
  if (!is_signed(header->algorithm, token.substr(0, end), TRY(decode_part(token.substr(end + 1)))))
    return refused("no key of the issuer has signed it");
  auto claims = json::decode<Claims>(TRY(decode_part(token.substr(middle + 1, end - middle - 1))));
  if (!claims.ok()) return refused("its claims are no JSON");
  if (claims->issuer != settings_.issuer) return refused("it is from another issuer");
  if (std::find(claims->audience.begin(), claims->audience.end(), settings_.service) ==
      claims->audience.end())
    return refused("it is for another service");
  const Time expires{std::chrono::seconds(std::min(claims->expires, std::int64_t{1} << 33))};
  const Time not_before{
      std::chrono::seconds(std::clamp(claims->not_before, std::int64_t{0}, std::int64_t{1} << 33))};
  if (claims->expires <= 0 || at > expires + kLeeway) return refused("it has expired");
  if (at + kLeeway < not_before) return refused("it is not valid yet");
  return claims;
}

bool allow(const Claims& claims, Action action, std::string_view repository) {
  return std::any_of(claims.access.begin(), claims.access.end(), [&](const Grant& grant) {
    return grant.type == "repository" && grant.name == repository &&
           std::any_of(grant.actions.begin(), grant.actions.end(),
                       [&](const std::string& name) { return name == "*" || name == to_string(action); });
  });
}

}  // namespace skiff::registry::server
