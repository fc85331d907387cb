#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/thread.h"
#include "http/web.h"
#include "registry/server/s3/signature.h"

namespace skiff::registry::server::s3 {

struct Settings {
  std::string endpoint;  ///< "https://s3.eu-central-1.amazonaws.com"; buckets are the path's first part
  std::string bucket;
  std::string region = "us-east-1";
  std::string prefix;  ///< before all keys, "" or "registry/"
  Credentials credentials;
};

struct Object {
  std::string key;  ///< without the prefix
  std::uint64_t size = 0;
  Time modified;
};

struct Listing {
  std::vector<Object> objects;
  std::vector<std::string> folders;  ///< with '/' at the end
};

/// One bucket of an object store that speaks Amazon's S3 protocol. Requests that fail for a reason that
/// passes (no answer, status 500, 503 and the like) are repeated a few times. Errors: NotFound, Forbidden,
/// Unavailable. Thread-safe.
class Client {
 public:
  explicit Client(Settings settings);

  Result<void> put(const std::string& key, std::string_view bytes);
  Result<Object> head(const std::string& key);
  /// `length` bytes from `first` on; they are not repeated once the first has come.
  Result<void> get(const std::string& key, std::uint64_t first, std::uint64_t length,
                   const std::function<Result<void>(std::string_view)>& sink);
  Result<std::string> get_all(const std::string& key);
  Result<void> remove(const std::string& key);  ///< no error when there is none
  Result<void> copy(const std::string& from, const std::string& to);
  /// Everything below `prefix`, or with `delimited` what is directly below.
  Result<Listing> list(const std::string& prefix, bool delimited);

  /// An object of many parts, each but the last of 5 MiB at least, that appears as a whole.
  Result<std::string> begin_parts(const std::string& key);
  Result<std::string> put_part(const std::string& key, const std::string& upload, int number,
                               std::string_view bytes);
  Result<std::string> copy_part(const std::string& key, const std::string& upload, int number,
                                const std::string& from);
  Result<void> complete_parts(const std::string& key, const std::string& upload,
                              const std::vector<std::string>& tags);
  Result<void> abort_parts(const std::string& key, const std::string& upload);

 private:
  struct Call {
    std::string method;
    std::string key;  ///< "" for the bucket itself
    std::map<std::string, std::string> query;
    std::map<std::string, std::string> headers;
    std::string_view body;
  };

  Result<http::WebResponse> perform(const Call& call, const http::WebSink& sink = {});
  Result<http::WebResponse> once(const Call& call, const http::WebSink& sink);
  http::WebRequest request_for(const Call& call) const;
  std::string path_of(const std::string& key) const;
  Result<void> list_page(const std::string& prefix, bool delimited, std::string& continuation, Listing& out);

  const Settings settings_;
  std::string host_;
  Mutex mutex_;
  std::vector<std::unique_ptr<http::WebSession>> idle_ GUARDED_BY(mutex_);
};

}  // namespace skiff::registry::server::s3
