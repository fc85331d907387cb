#include "http/curl.h"

#include <dlfcn.h>

#include <type_traits>

namespace skiff::http {

Result<Curl> Curl::open() {
  void* library = ::dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return fail(Kind::Unsupported, "downloads need libcurl (Debian's package libcurl4): {}", ::dlerror());
  Curl curl;
  const auto find = [library](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, name));
    return function != nullptr;
  };
  const bool complete =
      find(curl.global_init, "curl_global_init") && find(curl.init, "curl_easy_init") &&
      find(curl.reset, "curl_easy_reset") && find(curl.cleanup, "curl_easy_cleanup") &&
      find(curl.set, "curl_easy_setopt") && find(curl.get, "curl_easy_getinfo") &&
      find(curl.text, "curl_easy_strerror") && find(curl.append, "curl_slist_append") &&
      find(curl.free_list, "curl_slist_free_all") && find(curl.multi_init, "curl_multi_init") &&
      find(curl.multi_cleanup, "curl_multi_cleanup") && find(curl.multi_add, "curl_multi_add_handle") &&
      find(curl.multi_remove, "curl_multi_remove_handle") && find(curl.multi_perform, "curl_multi_perform") &&
      find(curl.multi_poll, "curl_multi_poll") && find(curl.multi_wakeup, "curl_multi_wakeup") &&
      find(curl.multi_read, "curl_multi_info_read");
  if (!complete) return fail(Kind::Unsupported, "libcurl lacks a function: {}", ::dlerror());
  if (const CURLcode code = curl.global_init(CURL_GLOBAL_ALL); code != CURLE_OK)
    return fail(Kind::Internal, "libcurl: {}", curl.text(code));
  return curl;
}

Result<const Curl*> Curl::load() {
  static const Result<Curl> curl = open();
  if (!curl.ok()) return curl.error();
  return &*curl;
}

}  // namespace skiff::http
