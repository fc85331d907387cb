#include "cli/manifests/store.h"

#include <algorithm>

#include "sys/file.h"

namespace skiff::cli {
namespace {

constexpr std::size_t kLargestFile = 16 << 20;

std::string file_name(const spec::Reference& reference) {
  std::string name = reference.to_string();
  std::replace(name.begin(), name.end(), ':', '-');
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
}

Error no_such(const spec::Reference& reference) {
  return fail(Kind::NotFound, "No such manifest: {}", reference.to_string());
}

Result<spec::docker::ManifestRecord> read(const std::string& path, const spec::Reference& reference) {
  const auto text = sys::read_file(path, kLargestFile);
  if (!text.ok()) return text.error().kind() == Kind::NotFound ? no_such(reference) : text.error();
  return TRY_CONTEXT(json::decode<spec::docker::ManifestRecord>(*text), "{}", path);
}

}  // namespace

std::string ManifestStore::folder_of(const spec::Reference& list) const {
  return root_ + "/" + file_name(list);
}

Result<spec::docker::ManifestRecord> ManifestStore::get(const spec::Reference& list,
                                                        const spec::Reference& manifest) const {
  return read(folder_of(list) + "/" + file_name(manifest), manifest);
}

Result<std::vector<spec::docker::ManifestRecord>> ManifestStore::list(const spec::Reference& list) const {
  const std::string folder = folder_of(list);
  const auto names = sys::list_directory(folder);
  if (!names.ok()) return names.error().kind() == Kind::NotFound ? no_such(list) : names.error();
  std::vector<spec::docker::ManifestRecord> records;
  for (const auto& name : *names) records.push_back(TRY(read(folder + "/" + name, list)));
  return records;
}

Result<void> ManifestStore::save(const spec::Reference& list, const spec::Reference& manifest,
                                 const spec::docker::ManifestRecord& record) const {
  const std::string folder = folder_of(list);
  TRY(sys::make_directories(folder));
  return sys::replace_file(folder + "/" + file_name(manifest), json::encode(record));
}

Result<void> ManifestStore::remove(const spec::Reference& list) const {
  return sys::remove_tree(folder_of(list));
}

}  // namespace skiff::cli
