#include "http/fetch.h"

#include <dlfcn.h>

#include <curl/curl.h>

#include <memory>

#include "base/strings.h"
#include "sys/file.h"

namespace skiff::http {
namespace {

constexpr long kConnectSeconds = 30;
constexpr long kStalledSeconds = 120;  ///< without a byte
constexpr long kMostRedirects = 10;
constexpr long kFirstRefusal = 400;
constexpr std::size_t kLongestRefusal = 4096;  ///< of a refusal's body, which ends up in a sentence

/// libcurl, loaded at the first download: its thirty libraries would be a third of the idle daemon's memory
/// (docs/decisions/0010).
struct Curl {
  decltype(&curl_global_init) global_init = nullptr;
  decltype(&curl_easy_init) init = nullptr;
  decltype(&curl_easy_cleanup) cleanup = nullptr;
  decltype(&curl_easy_setopt) set = nullptr;
  decltype(&curl_easy_getinfo) get = nullptr;
  decltype(&curl_easy_perform) perform = nullptr;
  decltype(&curl_easy_strerror) text = nullptr;

  static Result<const Curl*> load();

 private:
  static Result<Curl> open();
};

Result<Curl> Curl::open() {
  void* library = ::dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return fail(Kind::Unsupported, "downloads need libcurl (Debian's package libcurl4): {}", ::dlerror());
  Curl curl;
  const auto find = [library](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, name));
    return function != nullptr;
  };
  if (!find(curl.global_init, "curl_global_init") || !find(curl.init, "curl_easy_init") ||
      !find(curl.cleanup, "curl_easy_cleanup") || !find(curl.set, "curl_easy_setopt") ||
      !find(curl.get, "curl_easy_getinfo") || !find(curl.perform, "curl_easy_perform") ||
      !find(curl.text, "curl_easy_strerror"))
    return fail(Kind::Unsupported, "libcurl lacks a function: {}", ::dlerror());
  if (const CURLcode code = curl.global_init(CURL_GLOBAL_ALL); code != CURLE_OK)
    return fail(Kind::Internal, "libcurl: {}", curl.text(code));
  return curl;
}

Result<const Curl*> Curl::load() {
  static const Result<Curl> curl = open();
  if (!curl.ok()) return curl.error();
  return &*curl;
}

/// One download under way.
struct Download {
  const sys::Fd& file;
  const std::function<bool()>& cancelled;
  std::string status;  ///< of the last answer: "404 Not Found"
  std::string refusal;
  std::optional<Error> failure;
};

bool is_refusal(const Download& download) { return !download.status.empty() && download.status[0] >= '4'; }

std::size_t take_header(char* bytes, std::size_t, std::size_t size, void* context) {
  const std::string_view line = trim(std::string_view(bytes, size));
  if (line.starts_with("HTTP/"))
    static_cast<Download*>(context)->status = std::string(cut(line, ' ').second.value_or(""));
  return size;
}

std::size_t take_body(char* bytes, std::size_t, std::size_t size, void* context) {
  auto& download = *static_cast<Download*>(context);
  if (is_refusal(download)) {
    download.refusal.append(bytes, std::min(size, kLongestRefusal - download.refusal.size()));
    return size;
  }
  auto written = sys::write_all(download.file, std::string_view(bytes, size));
  if (written.ok()) return size;
  download.failure = std::move(written).error();
  return CURL_WRITEFUNC_ERROR;
}

int ask_for_end(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& download = *static_cast<Download*>(context);
  if (!download.cancelled()) return 0;
  download.failure = Error(Kind::Cancelled, "download cancelled");
  return 1;
}

}  // namespace

Result<Fetched> fetch(const std::string& url, const sys::Fd& file, const std::function<bool()>& cancelled) {
  const Curl& curl = *TRY(Curl::load());
  const std::unique_ptr<CURL, decltype(curl.cleanup)> handle(curl.init(), curl.cleanup);
  if (!handle) return fail(Kind::Exhausted, "libcurl: no memory");
  Download download{.file = file, .cancelled = cancelled, .status = "", .refusal = "", .failure = {}};
  char reason[CURL_ERROR_SIZE] = "";
  CURL* const easy = handle.get();
  curl.set(easy, CURLOPT_URL, url.c_str());
  curl.set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl.set(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl.set(easy, CURLOPT_FOLLOWLOCATION, 1L);
  curl.set(easy, CURLOPT_MAXREDIRS, kMostRedirects);
  curl.set(easy, CURLOPT_NOSIGNAL, 1L);
  curl.set(easy, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl.set(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl.set(easy, CURLOPT_LOW_SPEED_TIME, kStalledSeconds);
  curl.set(easy, CURLOPT_FILETIME, 1L);
  curl.set(easy, CURLOPT_ERRORBUFFER, reason);
  curl.set(easy, CURLOPT_HEADERFUNCTION, take_header);
  curl.set(easy, CURLOPT_HEADERDATA, &download);
  curl.set(easy, CURLOPT_WRITEFUNCTION, take_body);
  curl.set(easy, CURLOPT_WRITEDATA, &download);
  curl.set(easy, CURLOPT_XFERINFOFUNCTION, ask_for_end);
  curl.set(easy, CURLOPT_XFERINFODATA, &download);
  curl.set(easy, CURLOPT_NOPROGRESS, 0L);
  const CURLcode code = curl.perform(easy);
  if (download.failure) return *std::move(download.failure);
  if (code != CURLE_OK)
    return fail(Kind::Unavailable, "Get \"{}\": {}", url, reason[0] != '\0' ? reason : curl.text(code));
  long status = 0;
  curl.get(easy, CURLINFO_RESPONSE_CODE, &status);
  if (status >= kFirstRefusal)
    return fail(status == 404 ? Kind::NotFound : Kind::InvalidArgument, "failed to GET {} with status {}: {}",
                url, download.status, trim(download.refusal));
  Fetched fetched;
  curl_off_t modified = -1;
  if (curl.get(easy, CURLINFO_FILETIME_T, &modified) == CURLE_OK && modified >= 0)
    fetched.modified = static_cast<std::time_t>(modified);
  return fetched;
}

}  // namespace skiff::http
