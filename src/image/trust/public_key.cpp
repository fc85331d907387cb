#include "image/trust/public_key.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

namespace skiff::image {
namespace {

constexpr std::size_t kMostPem = 64 << 10;
constexpr int kLeastRsaBits = 2048;

bool is_usable(const EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_EC:
    case EVP_PKEY_ED25519:
      return true;
    case EVP_PKEY_RSA:
      return EVP_PKEY_get_bits(key) >= kLeastRsaBits;
    default:
      return false;
  }
}

}  // namespace

Result<PublicKey> PublicKey::parse(std::string_view pem) {
  if (pem.size() > kMostPem) return Error(Kind::InvalidArgument, "a public key of more than 64 KiB");
  const std::unique_ptr<BIO, int (*)(BIO*)> text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())),
                                                 BIO_free);
  if (!text) return Error(Kind::Exhausted, "read public key: no memory");
  std::shared_ptr<EVP_PKEY> key(PEM_read_bio_PUBKEY(text.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  ERR_clear_error();
  if (!key) return Error(Kind::InvalidArgument, "no public key in PEM form");
  if (!is_usable(key.get()))
    return Error(Kind::InvalidArgument,
                 "a public key of an unknown kind: ECDSA, Ed25519 and RSA of 2048 bits are known");
  return PublicKey(std::move(key));
}

bool PublicKey::verifies(std::string_view message, std::string_view signature) const {
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  // Ed25519 signs the message itself.
  const EVP_MD* hash = EVP_PKEY_get_base_id(key_.get()) == EVP_PKEY_ED25519 ? nullptr : EVP_sha256();
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
  };
  const bool good = context && EVP_DigestVerifyInit(context.get(), nullptr, hash, nullptr, key_.get()) == 1 &&
                    EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(message),
                                     message.size()) == 1;
  ERR_clear_error();
  return good;
}

}  // namespace skiff::image
