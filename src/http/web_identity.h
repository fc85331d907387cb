#pragma once

#include <curl/curl.h>

namespace skiff::http {

/// For CURLOPT_SSL_CTX_FUNCTION, with a std::vector<WebIdentity>* as its data: shows a server the first
/// identity that one of the authorities it names has signed, and the first of all to a server that names none
/// (RFC 8446, 4.2.4). libcurl itself knows a single one.
CURLcode choose_identity(CURL* handle, void* ssl_context, void* identities);

}  // namespace skiff::http
