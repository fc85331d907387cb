#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace skiff::spec {

/// What a program runs on (OCI image spec, image-index.md, "platform").
struct Platform {
  std::string architecture;  ///< GOARCH: "amd64", "arm64"
  std::string os;            ///< "linux"
  std::string variant;       ///< "v8", "v7", or ""

  /// "linux/amd64", "linux/arm64/v8".
  std::string to_string() const;
  /// Reads "os[/arch[/variant]]" or an architecture alone, with the usual other names ("x86_64", "aarch64").
  /// InvalidArgument names the part that is not understood.
  static Result<Platform> parse(std::string_view text);
  /// This machine's.
  static const Platform& host();

  /// True when an image for `image` runs here: same os and architecture, and a variant that does not differ.
  bool accepts(const Platform& image) const;

  friend bool operator==(const Platform&, const Platform&) = default;
};

void describe(json::Fields& f, Platform& platform);

/// "x86_64" for "amd64", as `docker info` and uname(2) say it.
std::string_view machine_name(std::string_view architecture);

}  // namespace skiff::spec
