#include "build/ops/download.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/strings.h"
#include "http/fetch.h"
#include "spec/digest.h"
#include "sys/file.h"

namespace skiff::build {
namespace {

constexpr std::size_t kPiece = 256 << 10;

std::string name_in(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  const auto path = url.find('/', url.find("://") + 3);
  if (path == std::string_view::npos) return "";
  return std::string(url.substr(url.rfind('/') + 1));
}

Result<std::string> digest_of(const std::string& name, const sys::Fd& file) {
  spec::Hasher hasher;
  hasher.update(name + "\n");
  std::string piece(kPiece, '\0');
  if (lseek(file.get(), 0, SEEK_SET) < 0) return fail_errno("seek");
  while (const std::size_t size = TRY(sys::read_some(file, piece.data(), piece.size())))
    hasher.update(std::string_view(piece).substr(0, size));
  return "file:" + std::string(hasher.finish().hex());
}

}  // namespace

Result<Download> download(const std::string& url, bool needs_name, const sys::Fd& directory) {
  Download result;
  result.name = name_in(url);
  if (result.name.empty() && needs_name)
    return fail(Kind::InvalidArgument, "cannot determine filename for source {}", url);
  result.file = TRY(sys::open_at(directory, ".", O_TMPFILE | O_RDWR, 0600));
  const auto fetched = TRY(http::fetch(url, result.file));
  const timespec times[2] = {{0, UTIME_OMIT}, {fetched.modified.value_or(0), 0}};
  if (futimens(result.file.get(), times) != 0) return fail_errno("set time of {}", url);
  result.digest = TRY(digest_of(result.name, result.file));
  return result;
}

}  // namespace skiff::build
