#pragma once

#include <memory>
#include <string_view>

#include "base/result.h"

struct evp_pkey_st;

namespace skiff::image {

/// A public key that signatures are checked with: ECDSA (P-256, P-384, P-521) and RSA (2048 bits and more,
/// PKCS #1 v1.5) over SHA-256, or Ed25519: what cosign makes and takes.
class PublicKey {
 public:
  /// Reads a PEM text ("-----BEGIN PUBLIC KEY-----"). InvalidArgument: it is none, or one of another kind.
  static Result<PublicKey> parse(std::string_view pem);

  /// Whether `signature`, as the algorithm writes it (ECDSA: DER), is one of `message` by this key.
  bool verifies(std::string_view message, std::string_view signature) const;

 private:
  explicit PublicKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}
  std::shared_ptr<evp_pkey_st> key_;  ///< never changed, so that copies may share it
};

}  // namespace skiff::image
