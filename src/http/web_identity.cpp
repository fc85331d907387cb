#include "http/web_identity.h"

#include <dlfcn.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <memory>
#include <type_traits>
#include <vector>

#include "base/log.h"
#include "http/web.h"

namespace skiff::http {
namespace {

/// The functions of the TLS library that libcurl brought along (see http/curl.h). The certificates themselves
/// are libcrypto's, which every program here has.
struct Tls {
  decltype(&SSL_CTX_set_cert_cb) ask = nullptr;
  decltype(&SSL_get0_peer_CA_list) authorities = nullptr;
  decltype(&SSL_use_certificate_chain_file) use_certificate = nullptr;
  decltype(&SSL_use_PrivateKey_file) use_key = nullptr;

  static Tls open() {
    Tls tls;
    void* library = ::dlopen("libssl.so.3", RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
    const auto find = [library](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, name));
      return function != nullptr;
    };
    const bool complete = library && find(tls.ask, "SSL_CTX_set_cert_cb") &&
                          find(tls.authorities, "SSL_get0_peer_CA_list") &&
                          find(tls.use_certificate, "SSL_use_certificate_chain_file") &&
                          find(tls.use_key, "SSL_use_PrivateKey_file");
    return complete ? tls : Tls();
  }
};

const Tls& tls() {
  static const Tls library = Tls::open();
  return library;
}

/// Whether a certificate of the file's chain was signed by one of the authorities.
bool signed_by(const std::string& file, const STACK_OF(X509_NAME) * authorities) {
  const std::unique_ptr<BIO, decltype(&::BIO_free)> in(::BIO_new_file(file.c_str(), "r"), ::BIO_free);
  while (in) {
    const std::unique_ptr<X509, decltype(&::X509_free)> certificate(
        ::PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr), ::X509_free);
    if (!certificate) return false;
    for (int i = 0; i < sk_X509_NAME_num(authorities); ++i)
      if (::X509_NAME_cmp(::X509_get_issuer_name(certificate.get()), sk_X509_NAME_value(authorities, i)) == 0)
        return true;
  }
  return false;
}

/// Called when the server has asked for a certificate; without any the server decides.
int show_identity(SSL* connection, void* data) {
  const auto& identities = *static_cast<const std::vector<WebIdentity>*>(data);
  const auto* authorities = tls().authorities(connection);
  auto chosen = identities.begin();
  if (authorities && sk_X509_NAME_num(authorities) > 0)
    chosen = std::find_if(identities.begin(), identities.end(), [&](const WebIdentity& identity) {
      return signed_by(identity.certificate, authorities);
    });
  // None is of theirs: what libcurl has set, the first, tells the server at least who we are.
  if (chosen == identities.end()) return 1;
  if (tls().use_certificate(connection, chosen->certificate.c_str()) == 1 &&
      tls().use_key(connection, chosen->key.c_str(), SSL_FILETYPE_PEM) == 1)
    return 1;
  log::warning("the client certificate {} or its key {} cannot be used", chosen->certificate, chosen->key);
  return 0;
}

}  // namespace

CURLcode choose_identity(CURL*, void* ssl_context, void* identities) {
  if (!tls().ask) return CURLE_OK;  // another TLS library: the first one must do
  tls().ask(static_cast<SSL_CTX*>(ssl_context), show_identity, identities);
  return CURLE_OK;
}

}  // namespace skiff::http
