#include "http/web.h"

#include <cstdlib>
#include <memory>

#include "base/strings.h"
#include "http/curl.h"
#include "http/web_error.h"
#include "http/web_identity.h"

namespace skiff::http {
namespace {

constexpr long kConnectSeconds = 30;
constexpr long kStalledSeconds = 120;  ///< without a byte
constexpr long kReceiveBuffer = 512 << 10;
constexpr std::size_t kMostKept = 8 << 20;  ///< of a body that nobody takes
constexpr const char* kSystemAuthorities = "/etc/ssl/certs";
constexpr int kPollMilliseconds = 1000;

/// One request under way: what libcurl's callbacks work with.
struct Transfer {
  const WebRequest& request;
  const WebSink& sink;
  WebResponse response;
  std::optional<Error> failure;
  bool head_ended = false;  ///< libcurl takes an answer that breaks off in its head for one without a body
};

/// "http://localhost:5000/x", "https://127.0.0.1/x", "http://[::1]:80/".
bool is_loopback(std::string_view url) {
  if (const auto begin = url.find("://"); begin != std::string_view::npos) url.remove_prefix(begin + 3);
  const auto server = url.substr(0, url.find_first_of("/?#"));
  const auto host = server.substr(0, server.rfind(':'));
  return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

/// An answer's header lines; a new status line (after a redirect, or 100 Continue) begins them anew.
std::size_t take_header(char* bytes, std::size_t, std::size_t size, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  auto& response = transfer.response;
  const std::string_view line = trim(std::string_view(bytes, size));
  if (line.empty()) transfer.head_ended = true;
  if (line.starts_with("HTTP/")) {
    const auto rest = cut(line, ' ').second.value_or("");
    response = {};
    transfer.head_ended = false;
    response.status = static_cast<int>(parse_int(cut(rest, ' ').first).value_or(0));
    response.reason = cut(rest, ' ').second.value_or("");
    // HTTP/2 has no words for a status.
    if (response.reason.empty()) response.reason = reason_phrase(response.status);
  } else if (const auto [name, value] = cut(line, ':'); value) {
    response.fields.add(std::string(trim(name)), std::string(trim(*value)));
  }
  return size;
}

std::size_t take_body(char* bytes, std::size_t, std::size_t size, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  const std::string_view piece(bytes, size);
  if (!transfer.sink) {
    auto& body = transfer.response.body;
    body.append(piece.substr(0, kMostKept - std::min(kMostKept, body.size())));
    return size;
  }
  auto taken = transfer.sink(transfer.response, piece);
  if (taken.ok()) return size;
  transfer.failure = std::move(taken).error();
  return CURL_WRITEFUNC_ERROR;
}

std::size_t give_body(char* to, std::size_t, std::size_t size, void* context) {
  auto& transfer = *static_cast<Transfer*>(context);
  auto count = transfer.request.source(to, size);
  if (count.ok()) return *count;
  transfer.failure = std::move(count).error();
  return CURL_READFUNC_ABORT;
}

class CurlSession final : public WebSession {
 public:
  CurlSession(const Curl& curl, WebTrust trust)
      : curl_(curl),
        trust_(std::move(trust)),
        multi_(curl.multi_init(), curl.multi_cleanup),
        easy_(curl.init(), curl.cleanup) {}

  bool ready() const { return multi_ && easy_; }

  Result<WebResponse> perform(const WebRequest& request, const std::stop_token& stop,
                              const WebSink& sink) override {
    if (stop.stop_requested()) return cancelled();
    Transfer transfer{request, sink, {}, {}, false};
    char detail[CURL_ERROR_SIZE] = "";
    curl_.reset(easy_.get());
    const auto headers = set_headers(request);
    set_request(request, transfer, detail);
    const CURLcode code = run(stop);
    if (stop.stop_requested() && code != CURLE_OK) return cancelled();
    if (transfer.failure) return *std::move(transfer.failure);
    if (code != CURLE_OK)
      return transfer_error(curl_, easy_.get(), code, request.method, request.url, detail);
    if (!transfer.head_ended) return cut_answer(request.method, request.url);
    curl_off_t modified = -1;
    if (curl_.get(easy_.get(), CURLINFO_FILETIME_T, &modified) == CURLE_OK && modified >= 0)
      transfer.response.modified = modified;
    return std::move(transfer.response);
  }

 private:
  using Headers = std::unique_ptr<curl_slist, decltype(Curl::free_list)>;

  static Error cancelled() { return {Kind::Cancelled, "context canceled"}; }

  template <typename T>
  void set(CURLoption option, T value) {
    curl_.set(easy_.get(), option, value);
  }

  Headers set_headers(const WebRequest& request) {
    curl_slist* list = nullptr;
    const auto add = [&](const std::string& line) { list = curl_.append(list, line.c_str()); };
    // A server that would have to be asked first is asked by the empty uploads that come before the full
    // ones.
    add("Expect:");
    for (const auto& [name, value] : request.fields.lines())
      add(value.empty() ? name + ";" : fmt::format("{}: {}", name, value));
    if (request.source && !request.body_size) add("Transfer-Encoding: chunked");
    set(CURLOPT_HTTPHEADER, list);
    return {list, curl_.free_list};
  }

  void set_request(const WebRequest& request, Transfer& transfer, char* detail) {
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, request.redirects > 0 ? 1L : 0L);
    set(CURLOPT_MAXREDIRS, static_cast<long>(request.redirects));
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_LOW_SPEED_TIME, kStalledSeconds);
    set(CURLOPT_BUFFERSIZE, kReceiveBuffer);
    set(CURLOPT_UPLOAD_BUFFERSIZE, kReceiveBuffer);
    set(CURLOPT_FILETIME, 1L);
    set(CURLOPT_ERRORBUFFER, detail);
    set(CURLOPT_HEADERFUNCTION, take_header);
    set(CURLOPT_HEADERDATA, &transfer);
    set(CURLOPT_WRITEFUNCTION, take_body);
    set(CURLOPT_WRITEDATA, &transfer);
    set_method(request, transfer);
    set_trust();
    set_proxy(request.url);
  }

  void set_method(const WebRequest& request, Transfer& transfer) {
    if (request.method == "HEAD") {
      set(CURLOPT_NOBODY, 1L);
    } else if (request.source) {
      set(CURLOPT_UPLOAD, 1L);
      set(CURLOPT_READFUNCTION, give_body);
      set(CURLOPT_READDATA, &transfer);
      if (request.body_size) set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(*request.body_size));
      set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    } else if (request.method != "GET") {
      // An empty body, said to be empty: some registries want a length with every POST and PUT.
      set(CURLOPT_POSTFIELDS, "");
      set(CURLOPT_POSTFIELDSIZE, 0L);
      set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
  }

  /// As Go's programs do, and libcurl does not: loopback addresses are reached directly, and HTTP_PROXY
  /// counts.
  void set_proxy(std::string_view url) {
    if (is_loopback(url)) {
      set(CURLOPT_NOPROXY, "*");
      return;
    }
    const char* proxy = std::getenv("HTTP_PROXY");
    if (proxy && url.starts_with("http://") && !std::getenv("http_proxy")) set(CURLOPT_PROXY, proxy);
  }

  void set_trust() {
    if (trust_.anybody) {
      set(CURLOPT_SSL_VERIFYPEER, 0L);
      set(CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (!trust_.authorities.empty()) {
      // In place of the system's file of authorities, but not of its folder.
      curl_blob blob{const_cast<char*>(trust_.authorities.data()), trust_.authorities.size(),
                     CURL_BLOB_NOCOPY};
      set(CURLOPT_CAINFO_BLOB, &blob);
      set(CURLOPT_CAPATH, kSystemAuthorities);
    }
    if (trust_.identities.empty()) return;
    set(CURLOPT_SSLCERT, trust_.identities.front().certificate.c_str());
    set(CURLOPT_SSLKEY, trust_.identities.front().key.c_str());
    if (trust_.identities.size() == 1) return;
    set(CURLOPT_SSL_CTX_FUNCTION, choose_identity);
    set(CURLOPT_SSL_CTX_DATA, const_cast<std::vector<WebIdentity>*>(&trust_.identities));
  }

  /// Until the transfer is through or somebody stops it: that is why this is a multi handle, which can be
  /// woken.
  CURLcode run(const std::stop_token& stop) {
    curl_.multi_add(multi_.get(), easy_.get());
    const std::stop_callback wake(stop, [this] { curl_.multi_wakeup(multi_.get()); });
    CURLcode code = CURLE_ABORTED_BY_CALLBACK;
    for (int running = 1; running > 0 && !stop.stop_requested();) {
      if (curl_.multi_perform(multi_.get(), &running) != CURLM_OK) break;
      if (running > 0) curl_.multi_poll(multi_.get(), nullptr, 0, kPollMilliseconds, nullptr);
    }
    int left = 0;
    while (const CURLMsg* message = curl_.multi_read(multi_.get(), &left))
      if (message->msg == CURLMSG_DONE) code = message->data.result;
    curl_.multi_remove(multi_.get(), easy_.get());
    return code;
  }

  const Curl& curl_;
  const WebTrust trust_;
  const std::unique_ptr<CURLM, decltype(Curl::multi_cleanup)> multi_;
  const std::unique_ptr<CURL, decltype(Curl::cleanup)> easy_;
};

}  // namespace

Result<std::unique_ptr<WebSession>> WebSession::open(WebTrust trust) {
  const Curl& curl = *TRY(Curl::load());
  auto session = std::make_unique<CurlSession>(curl, std::move(trust));
  if (!session->ready()) return fail(Kind::Exhausted, "libcurl: no memory");
  return std::unique_ptr<WebSession>(std::move(session));
}

}  // namespace skiff::http
