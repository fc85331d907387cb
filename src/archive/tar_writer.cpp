#include "archive/tar_writer.h"

#include <array>
#include <cstring>
#include <optional>

namespace skiff::archive {

namespace {

constexpr std::size_t kBlock = 512;

/// The POSIX ustar header (pax(1), "ustar Interchange Format").
struct Header {
  char name[100];
  char mode[8];
  char uid[8];
  char gid[8];
  char size[12];
  char mtime[12];
  char checksum[8];
  char type;
  char link[100];
  char magic[6];
  char version[2];
  char user[32];
  char group[32];
  char major[8];
  char minor[8];
  char prefix[155];
  char unused[12];
};
static_assert(sizeof(Header) == kBlock);

char type_flag(Entry::Type type) {
  switch (type) {
    case Entry::Type::HardLink:
      return '1';
    case Entry::Type::Symlink:
      return '2';
    case Entry::Type::CharacterDevice:
      return '3';
    case Entry::Type::BlockDevice:
      return '4';
    case Entry::Type::Directory:
      return '5';
    case Entry::Type::Fifo:
      return '6';
    default:
      return '0';
  }
}

/// Octal digits and a NUL; false when the number does not fit.
template <std::size_t N>
bool put_octal(char (&field)[N], std::uint64_t value) {
  for (std::size_t i = N - 1; i-- > 0;) {
    field[i] = static_cast<char>('0' + (value & 7));
    value >>= 3;
  }
  return value == 0;
}

bool is_ascii(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  return true;
}

/// What readers without pax see of a name that stands in a pax record. Never empty: libarchive takes a link
/// without a target here for a hard link.
template <std::size_t N>
void put_cut(char (&field)[N], std::string_view name) {
  const std::size_t size = std::min(name.size(), N);
  for (std::size_t i = 0; i < size; ++i)
    field[i] = static_cast<unsigned char>(name[i]) < 0x80 ? name[i] : '?';
}

/// Puts `name` into name and prefix; false when it needs a pax record.
bool put_name(Header& header, std::string_view name) {
  if (!is_ascii(name)) return false;
  if (name.size() <= sizeof header.name) {
    std::memcpy(header.name, name.data(), name.size());
    return true;
  }
  // The slash between prefix and name is not stored; a directory's own last slash cannot serve.
  const auto slash = name.substr(0, name.size() - 1).rfind('/', sizeof header.prefix);
  if (slash == std::string_view::npos || slash == 0 || name.size() - slash - 1 > sizeof header.name)
    return false;
  std::memcpy(header.prefix, name.data(), slash);
  std::memcpy(header.name, name.data() + slash + 1, name.size() - slash - 1);
  return true;
}

/// "<length> <key>=<value>\n", where the length counts itself.
std::string pax_record(std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + fmt::formatted_size("{}", rest);
  length = rest + fmt::formatted_size("{}", length);
  return fmt::format("{} {}={}\n", length, key, value);
}

void seal(Header& header) {
  std::memcpy(header.magic, "ustar", 6);
  std::memcpy(header.version, "00", 2);
  std::memset(header.checksum, ' ', sizeof header.checksum);
  unsigned sum = 0;
  for (const char* at = reinterpret_cast<char*>(&header); at != reinterpret_cast<char*>(&header + 1); ++at)
    sum += static_cast<unsigned char>(*at);
  fmt::format_to_n(header.checksum, 6, "{:06o}", sum);
  header.checksum[6] = '\0';
}

std::string_view bytes_of(const Header& header) {
  return {reinterpret_cast<const char*>(&header), sizeof header};
}

constexpr std::array<char, 2 * kBlock> kZeros{};

std::string_view padding(std::uint64_t size) { return {kZeros.data(), (kBlock - size % kBlock) % kBlock}; }

}  // namespace

Result<void> TarWriter::pad() {
  if (left_ > 0) return fail(Kind::Internal, "tar: {} bytes of data are missing", left_);
  const auto zeros = padding(std::exchange(written_, 0));
  if (zeros.empty()) return {};
  return sink_(zeros);
}

Result<void> TarWriter::header(const Entry& entry) {
  TRY(pad());
  Header header{};
  std::string pax;
  std::string name = entry.path;
  if (entry.type == Entry::Type::Directory && !name.ends_with('/')) name += '/';
  if (!put_name(header, name)) {
    pax += pax_record("path", name);
    put_cut(header.name, name);
  }
  if (entry.link.size() > sizeof header.link || !is_ascii(entry.link)) {
    pax += pax_record("linkpath", entry.link);
    put_cut(header.link, entry.link);
  } else {
    std::memcpy(header.link, entry.link.data(), entry.link.size());
  }
  const std::uint64_t size = entry.type == Entry::Type::Regular ? entry.size : 0;
  put_octal(header.mode, entry.mode & 07777);
  if (!put_octal(header.uid, entry.uid)) pax += pax_record("uid", fmt::format("{}", entry.uid));
  if (!put_octal(header.gid, entry.gid)) pax += pax_record("gid", fmt::format("{}", entry.gid));
  if (!put_octal(header.size, size)) pax += pax_record("size", fmt::format("{}", size));
  const std::int64_t seconds = entry.mtime.tv_sec;
  if (seconds < 0 || !put_octal(header.mtime, static_cast<std::uint64_t>(seconds))) {
    put_octal(header.mtime, 0);
    pax += pax_record("mtime", fmt::format("{}", seconds));
  }
  header.type = type_flag(entry.type);
  put_octal(header.major, entry.major);
  put_octal(header.minor, entry.minor);
  for (const auto& [key, value] : entry.xattrs) pax += pax_record("SCHILY.xattr." + key, value);
  if (!pax.empty()) {
    Header extended{};
    const std::string extended_name = "PaxHeaders.0/" + std::string(header.name, strnlen(header.name, 80));
    std::memcpy(extended.name, extended_name.data(), std::min(extended_name.size(), sizeof extended.name));
    put_octal(extended.mode, 0644);
    put_octal(extended.uid, 0);
    put_octal(extended.gid, 0);
    put_octal(extended.size, pax.size());
    put_octal(extended.mtime, 0);
    extended.type = 'x';
    seal(extended);
    TRY(sink_(bytes_of(extended)));
    TRY(sink_(pax));
    if (const auto zeros = padding(pax.size()); !zeros.empty()) TRY(sink_(zeros));
  }
  seal(header);
  TRY(sink_(bytes_of(header)));
  left_ = size;
  written_ = 0;
  return {};
}

Result<void> TarWriter::data(std::string_view bytes) {
  TRY(passed(bytes.size()));
  return sink_(bytes);
}

Result<void> TarWriter::passed(std::uint64_t bytes) {
  if (bytes > left_) return fail(Kind::Internal, "tar: more data than its header says");
  left_ -= bytes;
  written_ += bytes;
  return {};
}

Result<void> TarWriter::fill() {
  while (left_ > 0) TRY(data({kZeros.data(), std::min<std::uint64_t>(left_, kZeros.size())}));
  return {};
}

Result<void> TarWriter::finish() {
  TRY(pad());
  return sink_({kZeros.data(), kZeros.size()});
}

}  // namespace skiff::archive
