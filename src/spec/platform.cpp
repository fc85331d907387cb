#include "spec/platform.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/strings.h"

namespace skiff::spec {
namespace {

struct Name {
  std::string_view alias;
  std::string_view architecture;
  std::string_view variant;
};
constexpr std::array kNames = {
    Name{"amd64", "amd64", ""},       Name{"x86_64", "amd64", ""},  Name{"x86-64", "amd64", ""},
    Name{"arm64", "arm64", ""},       Name{"aarch64", "arm64", ""}, Name{"386", "386", ""},
    Name{"i386", "386", ""},          Name{"i686", "386", ""},      Name{"arm", "arm", "v7"},
    Name{"armhf", "arm", "v7"},       Name{"armel", "arm", "v6"},   Name{"riscv64", "riscv64", ""},
    Name{"ppc64le", "ppc64le", ""},   Name{"s390x", "s390x", ""},   Name{"loong64", "loong64", ""},
    Name{"mips64le", "mips64le", ""},
};

constexpr std::array kMachines = {
    std::pair<std::string_view, std::string_view>{"amd64", "x86_64"},
    std::pair<std::string_view, std::string_view>{"arm64", "aarch64"},
    std::pair<std::string_view, std::string_view>{"386", "i686"},
    std::pair<std::string_view, std::string_view>{"arm", "armv7l"},
};

/// What Go calls operating systems, and so what one word may mean.
constexpr std::array<std::string_view, 17> kSystems = {
    "aix",   "android", "darwin", "dragonfly", "freebsd", "hurd",    "illumos", "ios", "js",
    "linux", "nacl",    "netbsd", "openbsd",   "plan9",   "solaris", "windows", "zos"};

const Name* find_architecture(std::string_view text) {
  for (const auto& name : kNames)
    if (equals_ignore_case(name.alias, text)) return &name;
  return nullptr;
}

std::string system_of(std::string_view text) {
  const std::string system = to_lower(text);
  return system == "macos" ? "darwin" : system;
}

Platform make(std::string_view os, const Name& name, std::string_view variant) {
  Platform platform{std::string(name.architecture), std::string(os),
                    std::string(variant.empty() ? name.variant : variant)};
  // arm64 has only v8 so far; saying so changes nothing.
  if (platform.architecture == "arm64" && (platform.variant == "v8" || platform.variant == "8"))
    platform.variant.clear();
  return platform;
}

}  // namespace

std::string Platform::to_string() const {
  std::string out = os + "/" + architecture;
  if (!variant.empty()) out += "/" + variant;
  return out;
}

Result<Platform> Platform::parse(std::string_view text) {
  const auto parts = split(text, '/');
  if (parts.size() > 3)
    return fail(Kind::InvalidArgument, "\"{}\": cannot parse platform specifier: invalid argument", text);
  for (const auto& part : parts)
    if (part.empty() ||
        to_lower(part).find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.-") != std::string::npos)
      return fail(Kind::InvalidArgument,
                  "\"{}\" is an invalid component of \"{}\": platform specifier component must match "
                  "\"^[A-Za-z0-9_.-]+$\": invalid argument",
                  part, text);
  if (parts.size() == 1) {
    if (const Name* name = find_architecture(parts[0])) return make("linux", *name, "");
    const std::string system = system_of(parts[0]);
    if (std::find(kSystems.begin(), kSystems.end(), system) != kSystems.end())
      return Platform{host().architecture, system, host().variant};
    return fail(Kind::InvalidArgument, "\"{}\": unknown operating system or architecture: invalid argument",
                text);
  }
  const std::string os = system_of(parts[0]);
  const std::string variant = parts.size() == 3 ? to_lower(parts[2]) : "";
  if (const Name* name = find_architecture(parts[1])) return make(os, *name, variant);
  return Platform{to_lower(parts[1]), os, variant};
}

const Platform& Platform::host() {
  static const Platform platform = {
#if defined(__x86_64__)
    "amd64",
#elif defined(__aarch64__)
    "arm64",
#elif defined(__riscv)
    "riscv64",
#else
#error "name this architecture as GOARCH does"
#endif
    "linux",
    ""
  };
  return platform;
}

bool Platform::accepts(const Platform& image) const {
  const auto same_variant = variant == image.variant || variant.empty() || image.variant.empty() ||
                            (architecture == "arm64" && image.variant == "v8");
  return os == image.os && architecture == image.architecture && same_variant;
}

void describe(json::Fields& f, Platform& platform) {
  f("architecture", platform.architecture);
  f("os", platform.os);
  f("variant", platform.variant, json::Omit::Empty);
}

std::string_view machine_name(std::string_view architecture) {
  for (const auto& [go, machine] : kMachines)
    if (go == architecture) return machine;
  return architecture;
}

}  // namespace skiff::spec
