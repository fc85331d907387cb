#include "registry/server/quotas.h"

#include <algorithm>

#include "base/strings.h"
#include "registry/server/access.h"

namespace skiff::registry::server {

Quotas::Quotas(Repositories& repositories, std::vector<Quota> quotas) : repositories_(repositories) {
  for (auto& quota : quotas) lines_.push_back({std::move(quota), std::nullopt});
}

bool Quotas::concerns(const Line& line, std::string_view name) const {
  return std::any_of(line.quota.repositories.begin(), line.quota.repositories.end(),
                     [&](const std::string& pattern) { return matches(pattern, name); });
}

Result<std::uint64_t> Quotas::count(Line& line) {
  if (!line.used) {
    std::uint64_t sum = 0;
    for (const auto& name : TRY(repositories_.names_with_blobs()))
      if (concerns(line, name)) sum += TRY(repositories_.usage(name));
    line.used = sum;
  }
  return *line.used;
}

Result<std::optional<std::uint64_t>> Quotas::room(const std::string& name) {
  std::optional<std::uint64_t> least;
  const MutexLock lock(mutex_);
  for (auto& line : lines_) {
    if (!concerns(line, name)) continue;
    const std::uint64_t used = TRY(count(line));
    const std::uint64_t left = line.quota.bytes > used ? line.quota.bytes - used : 0;
    least = std::min(least.value_or(left), left);
  }
  return least;
}

Result<void> Quotas::take(const std::string& name, std::uint64_t bytes) {
  const MutexLock lock(mutex_);
  for (auto& line : lines_) {
    if (!concerns(line, name)) continue;
    const std::uint64_t used = TRY(count(line));
    if (used + bytes > line.quota.bytes)
      return fail(Kind::Exhausted, "quota exceeded: {} of {} are used, {} more do not fit",
                  bytes_size(static_cast<double>(used)), bytes_size(static_cast<double>(line.quota.bytes)),
                  bytes_size(static_cast<double>(bytes)));
  }
  for (auto& line : lines_)
    if (concerns(line, name)) *line.used += bytes;
  return {};
}

void Quotas::give_back(const std::string& name, std::uint64_t bytes) {
  const MutexLock lock(mutex_);
  for (auto& line : lines_)
    if (line.used && concerns(line, name)) *line.used -= std::min(*line.used, bytes);
}

void Quotas::forget() {
  const MutexLock lock(mutex_);
  for (auto& line : lines_) line.used.reset();
}

}  // namespace skiff::registry::server
