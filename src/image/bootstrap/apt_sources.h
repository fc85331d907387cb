#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skiff::image {

/// One place to fetch packages from, for one suite.
struct AptSource {
  std::string uri;  ///< without "/" at the end
  std::string suite;
  std::vector<std::string> components;
  std::string signed_by;  ///< path of a keyring, or ""

  /// As a line of sources.list(5).
  std::string line() const;
  friend bool operator==(const AptSource&, const AptSource&) = default;
};

/// Reads one-line-style text (/etc/apt/sources.list). Lines for source packages are passed over.
std::vector<AptSource> parse_sources_list(std::string_view text);
/// Reads deb822-style text (*.sources). A keyring that stands in the file itself is not taken.
std::vector<AptSource> parse_deb822_sources(std::string_view text);
/// Everything below `directory` ("/etc/apt") that apt would read.
Result<std::vector<AptSource>> read_apt_sources(const std::string& directory);

/// What `suite` of a distribution is made from: the suite itself, and its updates and security suites if the
/// host uses such. With a `mirror` just that. Empty when the host's configuration has nothing for this
/// distribution ("debian").
std::vector<AptSource> sources_for(const std::vector<AptSource>& host, std::string_view distribution,
                                   const std::string& suite, const std::string& mirror);

/// The same as deb822 text, for the image.
std::string to_deb822(const std::vector<AptSource>& sources);

}  // namespace skiff::image
