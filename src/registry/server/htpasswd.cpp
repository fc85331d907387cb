#include "registry/server/htpasswd.h"

#include <crypt.h>
#include <sys/stat.h>

#include <openssl/crypto.h>

#include "base/ids.h"
#include "base/log.h"
#include "base/strings.h"
#include "spec/digest.h"
#include "sys/file.h"

namespace skiff::registry::server {
namespace {

constexpr std::size_t kMostFile = 16 << 20;
/// What an unknown user's password is compared with, so that it takes as long as a known one's.
constexpr std::string_view kNobody = "$2y$10$abcdefghijklmnopqrstuu4T826PRnz0Hu6YlprUuxkZxOOj5Fw5S";

bool is_bcrypt(std::string_view hash) {
  return hash.size() == 60 &&
         (hash.starts_with("$2y$") || hash.starts_with("$2a$") || hash.starts_with("$2b$"));
}

bool fits(const std::string& password, const std::string& hash) {
  auto data = std::make_unique<crypt_data>();
  const char* const found = ::crypt_r(password.c_str(), hash.c_str(), data.get());
  if (!found) return false;
  const std::string_view text(found);
  return text.size() == hash.size() && CRYPTO_memcmp(text.data(), hash.data(), hash.size()) == 0;
}

/// Of no use to whoever reads it out of memory after the program has ended.
std::string remembered(const std::string& password, const std::string& hash) {
  static const std::string kSecret = random_hex(32);
  return spec::Digest::of(kSecret + hash + password).to_string();
}

/// Another one whenever the file was written or replaced; times alone are too coarse for that.
std::string version_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return fmt::format("{} {} {} {}", status.st_ino, status.st_size, status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec);
}

}  // namespace

Result<std::unique_ptr<Htpasswd>> Htpasswd::open(const std::string& path) {
  std::unique_ptr<Htpasswd> out(new Htpasswd(path));
  const MutexLock lock(out->mutex_);
  TRY(out->load());
  return out;
}

Result<void> Htpasswd::load() {
  std::string version = version_of(path_);
  const std::string text = TRY(sys::read_file(path_, kMostFile));
  std::map<std::string, std::string> hashes;
  int number = 0;
  for (const auto& raw : split(text, '\n')) {
    ++number;
    const auto line = trim(raw);
    if (line.empty() || line.starts_with('#')) continue;
    const auto [user, hash] = cut(line, ':');
    if (user.empty() || !hash || !is_bcrypt(*hash))
      return fail(Kind::InvalidArgument, "{}: line {} is no user with a bcrypt hash (htpasswd -B makes them)",
                  path_, number);
    hashes.emplace(user, *hash);
  }
  hashes_ = std::move(hashes);
  verified_.clear();
  version_ = std::move(version);
  return {};
}

void Htpasswd::refresh() {
  std::string version = version_of(path_);
  const MutexLock lock(mutex_);
  if (version == version_) return;
  // A file that is just being written, or is wrong, leaves those in force who were.
  if (auto loaded = load(); !loaded.ok()) {
    log::error("{}", loaded.error().message());
    version_ = std::move(version);
  }
}

bool Htpasswd::verify(const std::string& user, const std::string& password) {
  refresh();
  std::string hash(kNobody);
  bool known = false;
  {
    const MutexLock lock(mutex_);
    if (const auto found = hashes_.find(user); found != hashes_.end()) {
      hash = found->second;
      known = true;
    }
    const auto before = verified_.find(user);
    if (known && before != verified_.end() && before->second == remembered(password, hash)) return true;
  }
  if (!fits(password, hash) || !known) return false;
  const MutexLock lock(mutex_);
  verified_[user] = remembered(password, hash);
  return true;
}

}  // namespace skiff::registry::server
