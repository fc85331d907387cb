#include "http/fetch.h"

#include "base/strings.h"
#include "http/web.h"
#include "sys/file.h"

namespace skiff::http {
namespace {

constexpr int kMostRedirects = 10;
constexpr int kFirstRefusal = 400;
constexpr std::size_t kLongestRefusal = 4096;  ///< of a refusal's body, which ends up in a sentence

}  // namespace

Result<Fetched> fetch(const std::string& url, const sys::Fd& file, const std::stop_token& stop) {
  const auto session = TRY(WebSession::open({}));
  WebRequest request;
  request.url = url;
  request.redirects = kMostRedirects;
  std::string refusal;
  const auto response = TRY(
      session->perform(request, stop, [&](const WebResponse& head, std::string_view piece) -> Result<void> {
        if (head.status < kFirstRefusal) return sys::write_all(file, piece);
        refusal.append(piece.substr(0, kLongestRefusal - refusal.size()));
        return {};
      }));
  if (response.status >= kFirstRefusal)
    return fail(response.status == 404 ? Kind::NotFound : Kind::InvalidArgument,
                "failed to GET {} with status {} {}: {}", url, response.status, response.reason,
                trim(refusal));
  return Fetched{response.modified};
}

}  // namespace skiff::http
