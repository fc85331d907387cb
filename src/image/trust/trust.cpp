#include "image/trust/trust.h"

#include <sys/stat.h>

#include "base/log.h"
#include "base/strings.h"
#include "sys/file.h"

namespace skiff::image {
namespace {

constexpr std::size_t kMostPolicy = 1 << 20;
constexpr std::size_t kMostKey = 64 << 10;

/// What is known of an image that was pulled before origins were recorded: its names.
std::vector<PulledAs> by_names(const Image& image) {
  std::vector<PulledAs> pulls;
  for (const auto& text : image.repo_digests) {
    const auto reference = spec::Reference::parse(text);
    if (reference.ok() && reference->digest())
      pulls.push_back({reference->to_string(), {*reference->digest()}, {}});
  }
  return pulls;
}

}  // namespace

Result<Policy> read_policy(const std::string& file) {
  const auto text = TRY_CONTEXT(sys::read_file(file, kMostPolicy), "policy");
  return TRY_CONTEXT(
      Policy::parse(text, [](const std::string& path) { return sys::read_file(path, kMostKey); }),
      "policy {}", file);
}

Result<std::unique_ptr<Trust>> Trust::open(meta::Database& database, const std::string& file) {
  std::unique_ptr<Trust> trust(new Trust(database, file));
  TRY(trust->reload());
  return trust;
}

/// A file that is there and cannot be read is none that is missing, and one that went missing is no wish: a
/// policy ends with the engine only.
Result<void> Trust::reload() {
  struct stat status = {};
  const bool missing = ::lstat(file_.c_str(), &status) != 0 && errno == ENOENT;
  if (missing && policy())
    return fail(Kind::NotFound, "the policy {} is gone; it ends when the engine is started without it",
                file_);
  if (missing && !must_exist_) {
    log::info("every image is taken: there is no policy {}", file_);
    return {};
  }
  auto read = std::make_shared<const Policy>(TRY(read_policy(file_)));
  log::info("images are taken by the policy {}", file_);
  const MutexLock lock(mutex_);
  policy_ = std::move(read);
  return {};
}

std::shared_ptr<const Policy> Trust::policy() {
  const MutexLock lock(mutex_);
  return policy_;
}

Error Trust::refusal(std::string_view image, const Rule& rule, std::string_view why) const {
  return fail(Kind::Forbidden, "image {} is refused by the rule {} of the policy {}: {}", image,
              quote(rule.name), file_, why);
}

Result<std::vector<Signature>> Trust::check_pull(
    const spec::Reference& image, const std::vector<spec::Digest>& manifests,
    const std::function<Result<std::vector<Signature>>()>& signatures) {
  const auto current = policy();
  if (!current) return std::vector<Signature>();
  const Rule& rule = current->registry_rule(image);
  auto believed = check_rule(rule, image, manifests, signatures);
  if (believed.ok() || believed.error().kind() != Kind::Forbidden) return believed;
  return refusal(image.familiar(), rule, believed.error().message());
}

Result<void> Trust::check_load() {
  const auto current = policy();
  if (!current) return {};
  const Rule& rule = current->archive_rule();
  for (const auto& requirement : rule.requirements) {
    if (requirement.kind == Requirement::Kind::Accept) continue;
    return refusal("archive", rule,
                   requirement.kind == Requirement::Kind::Reject ? "archives are rejected"
                                                                 : "an archive carries no signatures");
  }
  return {};
}

Result<void> Trust::check_use(const Image& image) {
  const auto current = policy();
  if (!current) return {};
  const auto origin = TRY(origins_.find(image.id));
  if (!origin) return image.repo_digests.empty() ? success() : check_pulls(*current, image, by_names(image));
  if (origin->kind == Origin::Kind::Local) return {};
  if (origin->kind == Origin::Kind::Archive || origin->loaded)
    if (auto loaded = check_load(); loaded.ok() || origin->pulls.empty()) return loaded;
  return check_pulls(*current, image, origin->pulls);
}

Result<void> Trust::check_pulls(const Policy& policy, const Image& image,
                                const std::vector<PulledAs>& pulls) {
  std::optional<Error> first;
  for (const auto& pull : pulls) {
    const auto reference =
        TRY_CONTEXT(spec::Reference::parse(pull.reference), "origin of image {}", image.id.to_string());
    const Rule& rule = policy.registry_rule(reference);
    const auto recorded = [&]() -> Result<std::vector<Signature>> { return pull.signatures; };
    const auto believed = check_rule(rule, reference, pull.manifests, recorded);
    if (believed.ok()) return {};
    if (believed.error().kind() != Kind::Forbidden) return believed.error();
    std::string why = believed.error().message();
    if (pull.signatures.empty() && why == "it has no signature")
      why = "no signature was recorded when it was pulled; pull it again";
    if (!first) first = refusal(reference.familiar(), rule, why);
  }
  return first ? Result<void>(*first) : success();
}

}  // namespace skiff::image
