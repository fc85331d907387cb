#include "image/bootstrap/rootfs.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>

#include "archive/tree.h"
#include "base/strings.h"
#include "sys/file.h"

namespace skiff::image {

namespace {

struct TextFile {
  const char* path;
  mode_t mode;
  const char* text;
};

/// What container images of Debian set: no caches in layers, small indexes, no services started by
/// installation.
constexpr std::array kSettings = {
    TextFile{
        "etc/apt/apt.conf.d/docker-clean", 0644,
        "# Packages and indexes that were fetched would only make layers larger.\n"
        "DPkg::Post-Invoke { \"rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb "
        "/var/cache/apt/*.bin || true\"; };\n"
        "APT::Update::Post-Invoke { \"rm -f /var/cache/apt/archives/*.deb "
        "/var/cache/apt/archives/partial/*.deb "
        "/var/cache/apt/*.bin || true\"; };\n"
        "Dir::Cache::pkgcache \"\";\nDir::Cache::srcpkgcache \"\";\n"},
    TextFile{"etc/apt/apt.conf.d/docker-gzip-indexes", 0644,
             "# Package lists stay compressed on disk.\n"
             "Acquire::GzipIndexes \"true\";\n"},
    TextFile{"etc/apt/apt.conf.d/docker-no-languages", 0644,
             "# Translated package descriptions are not fetched.\n"
             "Acquire::Languages \"none\";\n"},
    TextFile{"etc/apt/apt.conf.d/docker-autoremove-suggests", 0644,
             "# What is only suggested does not keep a package installed.\n"
             "Apt::AutoRemove::SuggestsImportant \"false\";\n"},
    TextFile{
        "etc/dpkg/dpkg.cfg.d/docker-apt-speedup", 0644,
        "# A build that is interrupted is thrown away; there is nothing to sync for.\nforce-unsafe-io\n"},
    TextFile{"usr/sbin/policy-rc.d", 0755,
             "#!/bin/sh\n# Installing a package starts no service (invoke-rc.d(8)).\nexit 101\n"},
};

/// Folders that are emptied, and single files that go.
constexpr std::array kEmptied = {"dev",           "proc",
                                 "sys",           "tmp",
                                 "var/tmp",       "var/lib/apt/lists",
                                 "var/cache/apt", "var/cache/debconf/tmp",
                                 "var/log",       "root/.cache"};
constexpr std::array kRemoved = {"etc/resolv.conf",
                                 "etc/hostname",
                                 "etc/hosts",
                                 "etc/apt/sources.list",
                                 "etc/apt/auth.conf",
                                 "etc/apt/auth.conf.d",
                                 "etc/apt/trusted.gpg~",
                                 "etc/mtab.old",
                                 "etc/passwd-",
                                 "etc/group-",
                                 "etc/shadow-",
                                 "etc/gshadow-",
                                 "etc/subuid-",
                                 "etc/subgid-",
                                 "var/lib/dpkg/status-old",
                                 "var/lib/dpkg/available-old",
                                 "var/lib/dpkg/diversions-old",
                                 "var/lib/dpkg/statoverride-old",
                                 "var/lib/dpkg/lock",
                                 "var/lib/dpkg/lock-frontend",
                                 "var/lib/dpkg/triggers/Lock",
                                 "var/lib/apt/lists/lock",
                                 "var/cache/ldconfig/aux-cache",
                                 "var/lib/dbus/machine-id",
                                 "var/lib/systemd/random-seed",
                                 "var/lib/systemd/catalog/database",
                                 "root/.bash_history",
                                 "etc/apt/apt.conf.d/99mmdebstrap",
                                 "etc/dpkg/dpkg.cfg.d/99mmdebstrap",
                                 "var/cache/debconf/config.dat-old",
                                 "var/cache/debconf/templates.dat-old",
                                 "var/cache/debconf/passwords.dat-old",
                                 "var/lib/apt/extended_states.lock"};

Result<void> put(const std::string& root, const std::string& path, std::string_view text, mode_t mode) {
  const std::string file = root + "/" + path;
  TRY(sys::make_directories(file.substr(0, file.rfind('/'))));
  // Anew, so that a link that a package put there is replaced and not followed.
  TRY(sys::remove_tree(file));
  const sys::Fd out = TRY(sys::open_file(file, O_WRONLY | O_CREAT | O_EXCL, mode));
  TRY(sys::write_all(out, text));
  if (::fchmod(out.get(), mode) != 0) return fail_errno("chmod {}", file);
  return {};
}

Result<void> empty_directory(const std::string& path) {
  auto names = sys::list_directory(path);
  if (!names) return {};
  for (const auto& name : *names) TRY(sys::remove_tree(path + "/" + name));
  return {};
}

Result<void> clamp(const sys::Fd& dir, const timespec& latest) {
  for (const auto& name : TRY(archive::entries_of(dir))) {
    struct stat status {};
    if (::fstatat(dir.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      return fail_errno("stat {}", name);
    if (S_ISDIR(status.st_mode))
      TRY(clamp(TRY(archive::open_entry(dir, name, O_RDONLY | O_DIRECTORY)), latest));
    if (status.st_mtim.tv_sec < latest.tv_sec) continue;
    const timespec times[2] = {latest, latest};
    if (::utimensat(dir.get(), name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
      return fail_errno("utimes {}", name);
  }
  return {};
}

}  // namespace

const std::vector<std::string>& slim_options() {
  static const std::vector<std::string> options = {
      "path-exclude=/usr/share/doc/*",
      "path-include=/usr/share/doc/*/copyright",
      "path-exclude=/usr/share/man/*",
      "path-exclude=/usr/share/info/*",
      "path-exclude=/usr/share/groff/*",
      "path-exclude=/usr/share/lintian/*",
      "path-exclude=/usr/share/linda/*",
      "path-exclude=/usr/share/locale/*",
      "path-include=/usr/share/locale/locale.alias",
  };
  return options;
}

Result<void> finish_rootfs(const std::string& root, const std::vector<AptSource>& sources, bool slim) {
  for (const char* path : kEmptied) TRY(empty_directory(root + "/" + path));
  for (const char* path : kRemoved) TRY(sys::remove_tree(root + "/" + path));
  TRY(empty_directory(root + "/etc/apt/sources.list.d"));
  for (const auto& setting : kSettings) TRY(put(root, setting.path, setting.text, setting.mode));
  if (slim) TRY(put(root, "etc/dpkg/dpkg.cfg.d/docker", join(slim_options(), "\n") + "\n", 0644));
  // Empty means: to be chosen at the first boot (machine-id(5)).
  TRY(put(root, "etc/machine-id", "", 0444));
  for (const char* directory : {"var/lib/apt/lists/partial", "var/cache/apt/archives/partial"}) {
    TRY(sys::make_directories(root + "/" + directory));
    if (::chmod((root + "/" + directory).c_str(), 0700) != 0) return fail_errno("chmod {}", directory);
  }
  TRY(put(root, "etc/apt/sources.list.d/debian.sources", to_deb822(sources), 0644));
  // A mirror of one's own is signed by a key that no package of the suite brings.
  for (const auto& source : sources) {
    if (source.signed_by.empty() || sys::exists(root + source.signed_by)) continue;
    TRY(put(root, source.signed_by.substr(1), TRY(sys::read_file(source.signed_by)), 0644));
  }
  return {};
}

Result<void> clamp_times(const std::string& root, std::time_t latest) {
  const sys::Fd directory = TRY(sys::open_directory(root));
  return clamp(directory, {latest, 0});
}

}  // namespace skiff::image
