#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/base64.h"
#include "base/strings.h"
#include "base/thread.h"
#include "http/address.h"
#include "http/server.h"
#include "registry/client/settings.h"
#include "spec/digest.h"
#include "spec/manifest.h"

namespace skiff::registry::testing {

/// A registry in this process, on a port of its own: plain http on loopback. What a test wants to go wrong it
/// does in `intercept`, which sees every request first.
class FakeRegistry {
 public:
  enum class Auth : std::uint8_t { None, Basic, Token };

  FakeRegistry() {
    http::Address address;
    address.is_unix = false;
    address.host = "127.0.0.1";
    auto listener = http::listen(address);
    EXPECT_TRUE(listener.ok());
    sockaddr_in name{};
    socklen_t size = sizeof name;
    ::getsockname(listener->get(), reinterpret_cast<sockaddr*>(&name), &size);
    port_ = ntohs(name.sin_port);
    std::vector<sys::Fd> listeners;
    listeners.push_back(*std::move(listener));
    server_ = *http::Server::start(std::move(listeners), [this](http::Exchange& http) { serve(http); });
  }
  ~FakeRegistry() { server_->stop(std::chrono::milliseconds(0)); }

  std::string host() const { return fmt::format("127.0.0.1:{}", port_); }
  std::string name(std::string_view rest) const { return fmt::format("{}/{}", host(), rest); }
  static Settings settings() {
    Settings settings;
    settings.first_pause = std::chrono::milliseconds(5);
    settings.certificate_directories.clear();
    return settings;
  }

  Auth auth = Auth::None;
  bool ranges = true;
  bool mounts = true;
  std::size_t page = 100;  ///< tags in one answer
  /// True when it has answered.
  std::function<bool(http::Exchange&)> intercept;

  spec::Digest put_blob(std::string bytes) {
    const MutexLock lock(mutex_);
    const auto digest = spec::Digest::of(bytes);
    blobs_[digest.to_string()] = std::move(bytes);
    return digest;
  }
  spec::Digest put_manifest(const std::string& repository, const std::string& tag, const std::string& bytes,
                            std::string_view type) {
    const MutexLock lock(mutex_);
    return keep_manifest(repository, tag, bytes, std::string(type));
  }
  std::string manifest(const std::string& repository, const std::string& tag) {
    const MutexLock lock(mutex_);
    return manifests_[repository + ":" + tag].bytes;
  }
  bool has_blob(const spec::Digest& digest) {
    const MutexLock lock(mutex_);
    return blobs_.contains(digest.to_string());
  }
  std::string blob(const spec::Digest& digest) {
    const MutexLock lock(mutex_);
    return blobs_[digest.to_string()];
  }
  /// How many requests' lines ("GET /v2/x/blobs/sha256:... bytes=5-") hold `text`.
  std::size_t count(std::string_view text) {
    const MutexLock lock(mutex_);
    return static_cast<std::size_t>(std::count_if(log_.begin(), log_.end(), [&](const std::string& line) {
      return line.find(text) != std::string::npos;
    }));
  }
  void forget_requests() {
    const MutexLock lock(mutex_);
    log_.clear();
  }

 private:
  struct Document {
    std::string bytes;
    std::string type;
  };

  static void say(http::Exchange& http, int status, std::string_view code) {
    (void)http.send(status, fmt::format(R"({{"errors":[{{"code":"{0}","message":"{1}"}}]}})", code,
                                        to_lower(std::string(code)).replace(0, 0, "said ")));
  }

  spec::Digest keep_manifest(const std::string& repository, const std::string& tag, const std::string& bytes,
                             const std::string& type) REQUIRES(mutex_) {
    const auto digest = spec::Digest::of(bytes);
    manifests_[repository + ":" + tag] = manifests_[repository + ":" + digest.to_string()] = {bytes, type};
    return digest;
  }

  void serve(http::Exchange& http) {
    {
      const MutexLock lock(mutex_);
      log_.push_back(fmt::format("{} {} {}", http.method(), http.target(), http.fields().get("Range")));
    }
    if (intercept && intercept(http)) return;
    const std::string path(http.path());
    if (path == "/token") return token(http);
    if (!allowed(http)) return;
    if (path == "/v2/") {
      (void)http.send(200, "{}");
      return;
    }
    for (const auto& [word, handler] : {std::pair{"/manifests/", &FakeRegistry::manifests},
                                        {"/blobs/uploads/", &FakeRegistry::uploads},
                                        {"/blobs/", &FakeRegistry::blobs},
                                        {"/tags/", &FakeRegistry::tags}}) {
      const auto at = path.find(word);
      if (at == std::string::npos) continue;
      return (this->*handler)(http, path.substr(4, at - 4), path.substr(at + std::string_view(word).size()));
    }
    say(http, 404, "UNSUPPORTED");
  }

  void token(http::Exchange& http) {
    const auto given = http.fields().get("Authorization");
    if (!given.empty() && given != "Basic " + encode_base64("user:password"))
      return say(http, 401, "UNAUTHORIZED");
    (void)http.send(200, R"({"token":"good"})");
  }

  bool allowed(http::Exchange& http) {
    const auto given = http.fields().get("Authorization");
    if (auth == Auth::None || (auth == Auth::Token && given == "Bearer good") ||
        (auth == Auth::Basic && given == "Basic " + encode_base64("user:password")))
      return true;
    http.answer_fields().add("WWW-Authenticate",
                             auth == Auth::Basic
                                 ? R"(Basic realm="test")"
                                 : fmt::format(R"(Bearer realm="http://{}/token",service="test")", host()));
    say(http, 401, "UNAUTHORIZED");
    return false;
  }

  void manifests(http::Exchange& http, const std::string& repository, const std::string& tag) {
    if (http.method() == "PUT") {
      const std::string bytes = *http.read_body(1 << 20);
      spec::Digest digest;
      {
        const MutexLock lock(mutex_);
        digest = keep_manifest(repository, tag, bytes, std::string(http.fields().get("Content-Type")));
      }
      http.answer_fields().add("Docker-Content-Digest", digest.to_string());
      (void)http.send(201, "");
      return;
    }
    Document found;
    {
      const MutexLock lock(mutex_);
      const auto known = manifests_.find(repository + ":" + tag);
      if (known != manifests_.end()) found = known->second;
    }
    if (found.bytes.empty()) return say(http, 404, "MANIFEST_UNKNOWN");
    http.answer_fields().add("Docker-Content-Digest", spec::Digest::of(found.bytes).to_string());
    (void)http.send(200, found.bytes, found.type);
  }

  void blobs(http::Exchange& http, const std::string&, const std::string& digest) {
    std::string bytes;
    {
      const MutexLock lock(mutex_);
      const auto known = blobs_.find(digest);
      if (known != blobs_.end()) bytes = known->second;
    }
    if (bytes.empty()) return say(http, 404, "BLOB_UNKNOWN");
    const auto range = http.fields().get("Range");
    if (ranges && range.starts_with("bytes=")) {
      const auto [first, last] = cut(range.substr(6), '-');
      const auto from = *parse_uint(first);
      const auto to =
          std::min<std::uint64_t>(parse_uint(last.value_or("")).value_or(UINT64_MAX), bytes.size() - 1);
      http.answer_fields().add("Content-Range", fmt::format("bytes {}-{}/{}", from, to, bytes.size()));
      (void)http.send(206, std::string_view(bytes).substr(from, to - from + 1), "application/octet-stream");
      return;
    }
    (void)http.send(200, bytes, "application/octet-stream");
  }

  void tags(http::Exchange& http, const std::string& repository, const std::string&) {
    std::vector<std::string> all;
    {
      const MutexLock lock(mutex_);
      for (const auto& [key, document] : manifests_)
        if (key.starts_with(repository + ":") && key.find("sha256:") == std::string::npos)
          all.push_back(key.substr(repository.size() + 1));
    }
    const auto last = http.query().find("last=");
    std::size_t at = 0;
    if (last != std::string_view::npos) at = *parse_uint(http.query().substr(last + 5));
    std::string text;
    for (std::size_t i = at; i < std::min(at + page, all.size()); ++i)
      text += (text.empty() ? "\"" : ",\"") + all[i] + "\"";
    if (at + page < all.size())
      http.answer_fields().add(
          "Link", fmt::format("</v2/{}/tags/list?last={}>; rel=\"next\"", repository, at + page));
    (void)http.send(200, fmt::format(R"({{"name":"{}","tags":[{}]}})", repository, text));
  }

  void uploads(http::Exchange& http, const std::string& repository, const std::string& id) {
    const std::string query(http.query());
    const auto parameter = [&](const std::string& name) {
      const auto at = query.find(name + "=");
      if (at == std::string::npos) return std::string();
      const auto begin = at + name.size() + 1;
      return http::percent_decode(query.substr(begin, query.find('&', begin) - begin), true);
    };
    if (http.method() == "POST") {
      const std::string wanted = parameter("mount");
      {
        const MutexLock lock(mutex_);
        if (mounts && !wanted.empty() && blobs_.contains(wanted)) {
          (void)http.send(201, "");
          return;
        }
      }
      http.answer_fields().add("Location",
                               fmt::format("/v2/{}/blobs/uploads/{}", repository, ++uploads_begun_));
      (void)http.send(202, "");
    } else if (http.method() == "PATCH") {
      const auto body = http.read_body(64 << 20);
      if (!body.ok()) return http.abort();
      {
        const MutexLock lock(mutex_);
        uploads_[id] += *body;
      }
      http.answer_fields().add("Location", fmt::format("/v2/{}/blobs/uploads/{}?state=x", repository, id));
      (void)http.send(202, "");
    } else if (http.method() == "PUT") {
      const MutexLock lock(mutex_);
      const std::string& bytes = uploads_[id];
      if (spec::Digest::of(bytes).to_string() != parameter("digest")) return say(http, 400, "DIGEST_INVALID");
      blobs_[parameter("digest")] = bytes;
      (void)http.send(201, "");
    } else {
      (void)http.send(204, "");
    }
  }

  int port_ = 0;
  Mutex mutex_;
  std::map<std::string, std::string> blobs_ GUARDED_BY(mutex_);
  std::map<std::string, std::string> uploads_ GUARDED_BY(mutex_);
  std::map<std::string, Document> manifests_
      GUARDED_BY(mutex_);  ///< "repository:tag" and "repository:digest"
  std::vector<std::string> log_ GUARDED_BY(mutex_);
  std::atomic<int> uploads_begun_ = 0;
  std::unique_ptr<http::Server> server_;  ///< the last: it uses the others
};

}  // namespace skiff::registry::testing
