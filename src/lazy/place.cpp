#include "lazy/place.h"

#include "sys/file.h"

namespace skiff::lazy {

void describe(json::Fields& f, LazyNote& note) {
  f("group", note.group);
  f("image", note.image);
  f("repository", note.repository);
  spec::digest_field(f, "blob", note.blob);
  f("size", note.size);
  f("mediaType", note.media_type);
  spec::digest_field(f, "diffId", note.diff_id);
  f("user", note.credentials.user, json::Omit::Empty);
  f("password", note.credentials.password, json::Omit::Empty);
  f("identityToken", note.credentials.identity_token, json::Omit::Empty);
  f("registryToken", note.credentials.registry_token, json::Omit::Empty);
}

Result<LazyNote> read_note(const std::string& directory) {
  const std::string path = directory + "/" + kNote;
  return TRY_CONTEXT(json::decode<LazyNote>(TRY(sys::read_file(path, 1 << 20))), "{}", path);
}

}  // namespace skiff::lazy
