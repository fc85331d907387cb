#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

struct evp_md_ctx_st;

namespace skiff::spec {

/// The name of content by its hash, "sha256:<64 hex digits>" (OCI image spec, descriptor.md, "Digests"). A
/// value made by parse() or a Hasher is always well formed; a default-constructed one is empty.
class Digest {
 public:
  Digest() = default;

  /// Reads "<algorithm>:<hex>"; sha256, sha384 and sha512 are known. InvalidArgument: "invalid digest: ...".
  static Result<Digest> parse(std::string_view text);
  /// The sha256 of `bytes`.
  static Digest of(std::string_view bytes);

  std::string_view algorithm() const { return std::string_view(text_).substr(0, colon_); }
  /// The hexadecimal digits; usable as a file name.
  std::string_view hex() const {
    return text_.empty() ? std::string_view() : std::string_view(text_).substr(colon_ + 1);
  }
  const std::string& to_string() const { return text_; }
  /// The first twelve hexadecimal digits, as people see them.
  std::string_view short_hex() const { return hex().substr(0, 12); }
  bool empty() const { return text_.empty(); }

  friend bool operator==(const Digest& a, const Digest& b) { return a.text_ == b.text_; }
  friend std::strong_ordering operator<=>(const Digest& a, const Digest& b) {
    return a.text_.compare(b.text_) <=> 0;
  }

 private:
  friend class Hasher;
  Digest(std::string text, std::size_t colon) : text_(std::move(text)), colon_(colon) {}

  std::string text_;
  std::size_t colon_ = 0;
};

inline const std::string& to_string(const Digest& digest) { return digest.to_string(); }

/// True for exactly 64 lower-case hexadecimal digits: the form of ids of containers and images.
bool is_full_id(std::string_view text);

/// Computes a digest over bytes that come in pieces. Move-only; a moved-from Hasher may only be destroyed.
class Hasher {
 public:
  /// A sha256, or what `algorithm` names: one that Digest::parse() knows.
  Hasher();
  explicit Hasher(std::string_view algorithm);
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  ~Hasher();

  void update(std::string_view bytes);
  /// The digest of everything so far; the Hasher starts anew.
  Digest finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  void start();

  std::string_view algorithm_;
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

/// Digests as JSON strings inside described structs: `digest_field(f, "digest", d.digest)`. An empty string
/// is an empty Digest; a malformed one is rejected.
void digest_field(json::Fields& f, std::string_view name, Digest& digest,
                  json::Omit omit = json::Omit::Never);
void digest_list_field(json::Fields& f, std::string_view name, std::vector<Digest>& digests);

}  // namespace skiff::spec

template <>
struct std::hash<skiff::spec::Digest> {
  std::size_t operator()(const skiff::spec::Digest& digest) const noexcept {
    return std::hash<std::string>()(digest.to_string());
  }
};
