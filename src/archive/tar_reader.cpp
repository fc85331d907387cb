#include "archive/tar_reader.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/strings.h"

namespace skiff::archive {

struct TarReader::State {
  Source& source;
  std::optional<Error> error;
  bool ended = false;  ///< the source gave all it had
};

namespace {

/// pax archives hold UTF-8 and libarchive converts it to the locale's character set, which must therefore be
/// UTF-8, whatever the environment says. Only for this thread and this scope.
class Utf8Scope {
 public:
  Utf8Scope() {
    static const locale_t utf8 = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    if (utf8) previous_ = ::uselocale(utf8);
  }
  ~Utf8Scope() {
    if (previous_) ::uselocale(previous_);
  }
  Utf8Scope(const Utf8Scope&) = delete;
  Utf8Scope& operator=(const Utf8Scope&) = delete;

 private:
  locale_t previous_ = nullptr;
};

la_ssize_t read_callback(::archive* archive, void* client, const void** buffer) {
  auto& state = *static_cast<TarReader::State*>(client);
  auto bytes = state.source.next();
  if (!bytes) {
    archive_set_error(archive, EIO, "%s", bytes.error().message().c_str());
    state.error = bytes.error();
    return ARCHIVE_FATAL;
  }
  state.ended = bytes->empty();
  *buffer = bytes->data();
  return static_cast<la_ssize_t>(bytes->size());
}

std::string text(const char* multibyte, const char* utf8) {
  if (multibyte) return multibyte;
  return utf8 ? utf8 : "";
}

Entry::Type type_of(archive_entry* from) {
  if (archive_entry_hardlink(from) || archive_entry_hardlink_utf8(from)) return Entry::Type::HardLink;
  switch (archive_entry_filetype(from)) {
    case AE_IFREG:
      return Entry::Type::Regular;
    case AE_IFLNK:
      return Entry::Type::Symlink;
    case AE_IFCHR:
      return Entry::Type::CharacterDevice;
    case AE_IFBLK:
      return Entry::Type::BlockDevice;
    case AE_IFDIR:
      return Entry::Type::Directory;
    case AE_IFIFO:
      return Entry::Type::Fifo;
    default:
      return Entry::Type::Other;
  }
}

}  // namespace

TarReader::TarReader(Source& source) : state_(new State{source, {}, false}), archive_(archive_read_new()) {
  archive_read_support_format_tar(archive_);
  archive_read_support_format_empty(archive_);
}

TarReader::~TarReader() { archive_read_free(archive_); }

Error TarReader::failure() {
  if (state_->error) return *state_->error;
  const char* message = archive_error_string(archive_);
  return fail(Kind::InvalidArgument, "invalid tar archive: {}", message ? message : "unknown error");
}

Result<bool> TarReader::next(Entry& entry) {
  const Utf8Scope utf8;
  if (!std::exchange(opened_, true)) {
    if (archive_read_open2(archive_, state_.get(), nullptr, read_callback, nullptr, nullptr) != ARCHIVE_OK)
      return failure();
  }
  if (cut_short_) return false;
  archive_entry* from = nullptr;
  const int code = archive_read_next_header(archive_, &from);
  if (code == ARCHIVE_EOF) return false;
  // A warning means that what the archive says was passed over, as Go's reader never does; but names need not
  // be UTF-8.
  const bool other_names = code == ARCHIVE_WARN && archive_errno(archive_) == EILSEQ;
  if (code != ARCHIVE_OK && !other_names) return failure();
  entry = Entry();
  entry.path = text(archive_entry_pathname(from), archive_entry_pathname_utf8(from));
  entry.type = type_of(from);
  if (entry.type == Entry::Type::HardLink)
    entry.link = text(archive_entry_hardlink(from), archive_entry_hardlink_utf8(from));
  else if (entry.type == Entry::Type::Symlink)
    entry.link = text(archive_entry_symlink(from), archive_entry_symlink_utf8(from));
  entry.mode = archive_entry_perm(from) & 07777;
  entry.uid = static_cast<uid_t>(archive_entry_uid(from));
  entry.gid = static_cast<gid_t>(archive_entry_gid(from));
  entry.size = archive_entry_size_is_set(from) ? static_cast<std::uint64_t>(archive_entry_size(from)) : 0;
  data_left_ = entry.size;
  entry.mtime = {archive_entry_mtime(from), archive_entry_mtime_nsec(from)};
  entry.major = static_cast<unsigned>(archive_entry_rdevmajor(from));
  entry.minor = static_cast<unsigned>(archive_entry_rdevminor(from));
  archive_entry_xattr_reset(from);
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  while (archive_entry_xattr_next(from, &name, &value, &size) == ARCHIVE_OK)
    entry.xattrs.emplace_back(name, std::string(static_cast<const char*>(value), size));
  return true;
}

/// libarchive passes over a piece of data when the next one is asked for.
std::uint64_t TarReader::position() const {
  return static_cast<std::uint64_t>(archive_filter_bytes(archive_, 0));
}

Result<std::string_view> TarReader::data(std::int64_t& offset) {
  for (;;) {
    const void* buffer = nullptr;
    std::size_t size = 0;
    const int code = archive_read_data_block(archive_, &buffer, &size, &offset);
    if (code == ARCHIVE_EOF) return std::string_view();
    if (code != ARCHIVE_OK) {
      // Docker's client does not pad the last file of a context that it changed, and Go's reader never asks.
      if (state_->error || !state_->ended || data_left_ != 0) return failure();
      cut_short_ = true;
      return std::string_view();
    }
    data_left_ -= std::min<std::uint64_t>(data_left_, size);
    if (size > 0) return std::string_view(static_cast<const char*>(buffer), size);
  }
}

}  // namespace skiff::archive
