#pragma once

#include <string>

#include "base/error.h"
#include "http/curl.h"

namespace skiff::http {

/// Why a transfer failed, in the words of Docker's engine: `Get "<url>": <why>`, Unavailable. `detail` is
/// libcurl's own text, for what Docker has no words for.
Error transfer_error(const Curl& curl, CURL* handle, CURLcode code, const std::string& method,
                     const std::string& url, const std::string& detail);

/// The error of an answer that breaks off before its head ends.
Error cut_answer(const std::string& method, const std::string& url);

}  // namespace skiff::http
