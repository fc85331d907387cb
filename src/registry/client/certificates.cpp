#include "registry/client/certificates.h"

#include <algorithm>

#include "sys/file.h"

namespace skiff::registry {
namespace {

constexpr std::size_t kLargestCertificate = 1 << 20;

std::string with_suffix(const std::string& name, std::string_view before, std::string_view after) {
  return name.substr(0, name.size() - before.size()) + std::string(after);
}

Result<void> read_directory(const std::string& directory, http::WebTrust& trust) {
  auto names = sys::list_directory(directory);
  if (!names.ok()) return names.error().kind() == Kind::NotFound ? success() : names.error();
  std::sort(names->begin(), names->end());
  const auto has = [&](const std::string& name) {
    return std::find(names->begin(), names->end(), name) != names->end();
  };
  for (const std::string& name : *names) {
    const std::string path = directory + "/" + name;
    if (name.ends_with(".crt")) {
      trust.authorities += TRY(sys::read_file(path, kLargestCertificate)) + "\n";
    } else if (name.ends_with(".cert")) {
      const std::string key = with_suffix(name, ".cert", ".key");
      if (!has(key))
        return fail(Kind::InvalidArgument,
                    "missing key {} for client certificate {}. CA certificates must use the extension .crt",
                    key, name);
      trust.identities.push_back({path, directory + "/" + key});
    } else if (name.ends_with(".key")) {
      const std::string certificate = with_suffix(name, ".key", ".cert");
      if (!has(certificate))
        return fail(Kind::InvalidArgument, "missing client certificate {} for key {}", certificate, name);
    }
  }
  return {};
}

}  // namespace

Result<http::WebTrust> trust_for(std::string_view domain, const Settings& settings) {
  http::WebTrust trust;
  for (const auto& directory : settings.certificate_directories)
    TRY(read_directory(fmt::format("{}/{}", directory, domain), trust));
  return trust;
}

}  // namespace skiff::registry
