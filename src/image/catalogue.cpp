#include "image/catalogue.h"

#include <algorithm>

#include "spec/reference.h"

namespace skiff::image {

namespace {

constexpr std::string_view kAlgorithm = "sha256:";

bool is_hex(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

void Catalogue::add(Image image) {
  std::string id = image.id.to_string();
  images_.insert_or_assign(id, std::move(image));
  refresh_tags(id);
}

void Catalogue::erase(const std::string& id) { images_.erase(id); }

Image* Catalogue::find(const std::string& id) {
  const auto found = images_.find(id);
  return found == images_.end() ? nullptr : &found->second;
}

void Catalogue::set_name(const std::string& name, const std::string& id) {
  const std::string before = id_of(name);
  names_[name] = id;
  if (!before.empty()) refresh_tags(before);
  refresh_tags(id);
}

void Catalogue::erase_name(const std::string& name) {
  const std::string before = id_of(name);
  names_.erase(name);
  refresh_tags(before);
}

std::string Catalogue::id_of(const std::string& name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? "" : found->second;
}

std::vector<std::string> Catalogue::names_of(const std::string& id) const {
  std::vector<std::string> names;
  for (const auto& [name, named] : names_)
    if (named == id) names.push_back(name);
  return names;
}

void Catalogue::refresh_tags(const std::string& id) {
  Image* image = find(id);
  if (!image) return;
  image->tags.clear();
  image->repo_digests.clear();
  for (const auto& name : names_of(id))
    if (auto reference = spec::Reference::parse(name))
      (reference->digest() ? image->repo_digests : image->tags).push_back(reference->familiar());
  std::sort(image->tags.begin(), image->tags.end());
  std::sort(image->repo_digests.begin(), image->repo_digests.end());
}

bool Catalogue::has_children(const std::string& id) const {
  return std::any_of(images_.begin(), images_.end(),
                     [&](const auto& entry) { return entry.second.parent == id; });
}

bool Catalogue::uses(const std::string& snapshot) const {
  for (const auto& [id, image] : images_)
    for (const auto& layer : image.layers)
      if (layer.snapshot == snapshot) return true;
  return false;
}

Result<std::string> Catalogue::lookup(std::string_view text, std::optional<std::string>* name) const {
  std::string_view hex = text;
  const bool with_algorithm = text.starts_with(kAlgorithm);
  if (with_algorithm) hex.remove_prefix(kAlgorithm.size());
  if (is_hex(hex) && hex.size() == 64) {
    const std::string id = std::string(kAlgorithm) + std::string(hex);
    if (!images_.contains(id)) return fail(Kind::NotFound, "No such image: {}", text);
    return id;
  }
  std::string shown(text);
  if (!with_algorithm) {
    auto reference = TRY(spec::Reference::parse_tagged(text));
    shown = reference.familiar();
    // With a digest the tag says nothing more.
    if (reference.digest()) reference = reference.with_tag("");
    if (std::string id = id_of(reference.to_string()); !id.empty()) {
      if (name) *name = reference.to_string();
      return id;
    }
  }
  if (is_hex(hex)) {
    const std::string prefix = std::string(kAlgorithm) + std::string(hex);
    const auto first = images_.lower_bound(prefix);
    if (first != images_.end() && first->first.starts_with(prefix)) {
      const auto second = std::next(first);
      if (second == images_.end() || !second->first.starts_with(prefix)) return first->first;
      return fail(Kind::InvalidArgument, "multiple IDs found with provided prefix: {}", text);
    }
  }
  return fail(Kind::NotFound, "No such image: {}", shown);
}

}  // namespace skiff::image
