#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "spec/digest.h"

namespace skiff::spec {

/// The name of an image: domain/path[:tag][@digest], normalized as Docker does it: "busybox" is
/// docker.io/library/busybox. The grammar is that of the distribution specification.
class Reference {
 public:
  /// Reads what a person typed. No tag is added: see with_default_tag(). InvalidArgument with Docker's
  /// sentences, such as "invalid reference format".
  static Result<Reference> parse(std::string_view text);
  /// parse() and with_default_tag().
  static Result<Reference> parse_tagged(std::string_view text);

  const std::string& domain() const { return domain_; }  ///< "docker.io", "localhost:5000"
  const std::string& path() const { return path_; }      ///< "library/busybox"
  const std::string& tag() const { return tag_; }        ///< "" when there is none
  const std::optional<Digest>& digest() const { return digest_; }

  /// domain/path without tag and digest.
  std::string name() const { return domain_ + "/" + path_; }
  /// Everything: "docker.io/library/busybox:latest".
  std::string to_string() const;
  /// As Docker shows it: "busybox:latest", "localhost:5000/x@sha256:...".
  std::string familiar() const;
  /// The familiar form without tag and digest: "busybox".
  std::string familiar_name() const;

  /// Adds ":latest" unless a tag or digest is there.
  Reference with_default_tag() const;
  Reference with_tag(std::string tag) const;
  Reference with_digest(Digest digest) const;
  Reference without_tag() const;

  friend bool operator==(const Reference&, const Reference&) = default;

 private:
  std::string domain_;
  std::string path_;
  std::string tag_;
  std::optional<Digest> digest_;
};

/// True for a well-formed tag: a word character and up to 127 of [A-Za-z0-9_.-].
bool is_tag(std::string_view text);

/// Splits "repo:tag" as the API's `repo`/`tag` and `fromImage`/`tag` parameters mean it: a tag that is a
/// digest ("sha256:...") becomes the digest. InvalidArgument as Reference::parse.
Result<Reference> reference_from_parts(std::string_view repository, std::string_view tag);

}  // namespace skiff::spec
