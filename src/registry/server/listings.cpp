#include <algorithm>

#include "base/strings.h"
#include "http/fields.h"
#include "registry/server/call.h"
#include "registry/server/registry.h"

/// What a registry has: repositories, tags, referrers.
namespace skiff::registry::server {
namespace {

constexpr std::size_t kMostNames = 1000;  ///< of one page of the catalogue

struct Page {
  std::vector<std::string> names;
  bool more = false;
};

/// Of `all`, which is sorted, what stands behind `last`, at most `count`.
Page page_of(std::vector<std::string> all, const std::optional<std::string>& last, std::size_t count) {
  const auto first = last ? std::upper_bound(all.begin(), all.end(), *last) : all.begin();
  const auto left = static_cast<std::size_t>(all.end() - first);
  const auto end = first + static_cast<std::ptrdiff_t>(std::min(left, count));
  return {{std::make_move_iterator(first), std::make_move_iterator(end)}, left > count};
}

/// The query's `n`, or `otherwise`. InvalidArgument when it is no number.
Result<std::size_t> count_of(const Call& call, std::size_t otherwise) {
  const auto text = query_value(call.http.query(), "n");
  if (!text) return otherwise;
  const auto number = parse_uint(*text);
  if (!number) return fail(Kind::InvalidArgument, "n must be a number, not {}", quote(*text));
  return static_cast<std::size_t>(*number);
}

/// Leads to the next page (RFC 8288).
void link_next(Call& call, const Page& page, std::size_t count) {
  if (!page.more || page.names.empty()) return;
  call.header("Link", fmt::format("<{}?last={}&n={}>; rel=\"next\"", call.http.path(),
                                  http::percent_encode(page.names.back()), count));
}

/// NotFound when there is no such repository.
Result<std::vector<std::string>> tags_of(Call& call) {
  if (call.registry.cache().covers(call.name())) return call.registry.cache().tags(call.name());
  auto& repositories = call.registry.repositories();
  if (!repositories.exists(call.name())) return fail(Kind::NotFound, "no repository {}", call.name());
  return repositories.tags(call.name());
}

}  // namespace

Result<void> serve_base(Call& call) { return call.answer(200, "{}"); }

Result<void> serve_catalog(Call& call) {
  const auto count = count_of(call, kMostNames);
  if (!count.ok()) return call.refuse(Code::PaginationInvalid, count.error().message());
  auto names = TRY(call.registry.repositories().names());
  std::erase_if(names, [&](const auto& name) { return !call.caller.may(Action::Pull, name); });
  const auto page = page_of(std::move(names), query_value(call.http.query(), "last"), *count);
  link_next(call, page, *count);
  json::Object body;
  body["repositories"] = json::Array(page.names.begin(), page.names.end());
  return call.answer(200, json::to_text(body) + "\n");
}

Result<void> serve_tags(Call& call) {
  const auto count = count_of(call, SIZE_MAX);
  if (!count.ok()) return call.refuse(Code::PaginationInvalid, count.error().message());
  auto tags = tags_of(call);
  if (!tags.ok() && tags.error().kind() == Kind::NotFound)
    return call.refuse(Code::NameUnknown, {}, json::Object{{"name", call.name()}});
  const auto page = page_of(TRY(std::move(tags)), query_value(call.http.query(), "last"), *count);
  link_next(call, page, *count);
  json::Object body;
  body["name"] = call.name();
  body["tags"] = json::Array(page.names.begin(), page.names.end());
  return call.answer(200, json::to_text(body) + "\n");
}

Result<void> serve_referrers(Call& call) {
  const auto subject = spec::Digest::parse(call.route.reference);
  if (!subject.ok()) return call.refuse(Code::DigestInvalid, subject.error().message());
  spec::oci::Index index;
  index.media_type = spec::oci::kMediaTypeIndex;
  index.manifests = TRY(call.registry.repositories().referrers(call.name(), *subject));
  if (const auto type = query_value(call.http.query(), "artifactType")) {
    std::erase_if(index.manifests, [&](const auto& entry) { return entry.artifact_type != *type; });
    call.header("OCI-Filters-Applied", "artifactType");
  }
  return call.answer(200, json::encode(index), spec::oci::kMediaTypeIndex);
}

}  // namespace skiff::registry::server
