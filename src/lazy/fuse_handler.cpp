#include "lazy/fuse_handler.h"

#include <linux/fuse.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

namespace skiff::lazy {
namespace {

constexpr std::uint32_t kMinor = 31;
constexpr std::uint64_t kForever = 365ULL * 24 * 3600;
constexpr std::uint32_t kBlock = 4096;
constexpr std::uint16_t kMostPages = 256;

template <typename T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::string answer(std::uint64_t unique, int error, std::string_view body = {}) {
  fuse_out_header header{};
  header.len = static_cast<std::uint32_t>(sizeof header + body.size());
  header.error = error;
  header.unique = unique;
  std::string out(bytes_of(header));
  out.append(body);
  return out;
}

}  // namespace

/// One request on its way to its answer.
class FuseRequest {
 public:
  FuseRequest(FuseHandler& handler, const fuse_in_header& header, std::string_view body,
              const std::stop_token& stop)
      : handler_(handler), header_(header), body_(body), stop_(stop) {}

  std::string run() {
    switch (header_.opcode) {
      case FUSE_FORGET:
      case FUSE_BATCH_FORGET:
      case FUSE_DESTROY:
        return "";
      case FUSE_INIT:
        return init();
      case FUSE_STATFS:
        return statfs();
      case FUSE_INTERRUPT:  // once told so, the kernel sends no more of them
        return failed(ENOSYS);
      default:
        break;
    }
    node_ = header_.nodeid > 0 ? handler_.files_.node(header_.nodeid - 1) : nullptr;
    if (!node_) return failed(ENOENT);
    switch (header_.opcode) {
      case FUSE_LOOKUP:
        return lookup();
      case FUSE_GETATTR:
        return getattr();
      case FUSE_READLINK:
        return S_ISLNK(node_->mode) ? done(node_->target) : failed(EINVAL);
      case FUSE_OPEN:
        return handler_.no_open_ ? failed(ENOSYS) : open(FOPEN_KEEP_CACHE);
      case FUSE_OPENDIR:
        return handler_.no_opendir_ ? failed(ENOSYS) : open(FOPEN_KEEP_CACHE | FOPEN_CACHE_DIR);
      case FUSE_READ:
        return read();
      case FUSE_READDIR:
        return readdir(false);
      case FUSE_READDIRPLUS:
        return readdir(true);
      case FUSE_RELEASE:
      case FUSE_RELEASEDIR:
      case FUSE_FLUSH:
        return done({});
      case FUSE_GETXATTR:
        return handler_.has_xattrs_ ? getxattr() : failed(ENOSYS);
      case FUSE_LISTXATTR:
        return handler_.has_xattrs_ ? listxattr() : failed(ENOSYS);
      default:
        return failed(ENOSYS);
    }
  }

 private:
  std::string done(std::string_view body) const { return answer(header_.unique, 0, body); }
  std::string failed(int error) const { return answer(header_.unique, -error); }

  template <typename T>
  std::optional<T> in() const {
    if (body_.size() < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, body_.data(), sizeof value);
    return value;
  }
  /// A name that ends with a zero, behind `skip` bytes.
  std::optional<std::string_view> name(std::size_t skip) const {
    if (body_.size() <= skip) return std::nullopt;
    const auto rest = body_.substr(skip);
    const auto end = rest.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    return rest.substr(0, end);
  }

  fuse_attr attributes(std::uint64_t number, const archive::IndexNode& node) const {
    fuse_attr out{};
    out.ino = number + 1;
    out.size = S_ISLNK(node.mode) ? node.target.size() : node.size;
    out.blocks = (out.size + 511) / 512;
    out.atime = out.mtime = out.ctime = static_cast<std::uint64_t>(node.seconds);
    out.atimensec = out.mtimensec = out.ctimensec = node.nanoseconds;
    out.mode = node.mode;
    out.nlink = node.links;
    out.uid = node.uid;
    out.gid = node.gid;
    out.rdev =
        static_cast<std::uint32_t>((node.minor & 0xff) | (node.major << 8) | ((node.minor & ~0xffU) << 12));
    out.blksize = kBlock;
    if (S_ISDIR(node.mode)) out.size = kBlock;
    if (number == 0) {
      const auto& root = handler_.root_;
      out.mode = root.st_mode;
      out.uid = root.st_uid;
      out.gid = root.st_gid;
      out.mtime = out.atime = out.ctime = static_cast<std::uint64_t>(root.st_mtim.tv_sec);
      out.mtimensec = out.atimensec = out.ctimensec = static_cast<std::uint32_t>(root.st_mtim.tv_nsec);
    }
    return out;
  }

  fuse_entry_out entry(std::uint64_t number) const {
    fuse_entry_out out{};
    out.nodeid = number + 1;
    out.entry_valid = out.attr_valid = kForever;
    out.attr = attributes(number, *handler_.files_.node(number));
    return out;
  }

  std::string init() const {
    // Older kernels send less of it.
    fuse_init_in in{};
    std::memcpy(&in, body_.data(), std::min(body_.size(), sizeof in));
    if (in.major < FUSE_KERNEL_VERSION) return failed(EPROTO);
    fuse_init_out out{};
    out.major = FUSE_KERNEL_VERSION;
    out.minor = kMinor;
    out.max_readahead = in.max_readahead;
    std::uint32_t wanted = FUSE_ASYNC_READ | FUSE_PARALLEL_DIROPS | FUSE_CACHE_SYMLINKS | FUSE_MAX_PAGES |
                           FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO | FUSE_NO_OPEN_SUPPORT |
                           FUSE_NO_OPENDIR_SUPPORT;
    // With it the kernel asks for the list of every file that it looks at.
    if (handler_.has_acls_) wanted |= FUSE_POSIX_ACL;
    out.flags = in.flags & wanted;
    handler_.no_open_ = (out.flags & FUSE_NO_OPEN_SUPPORT) != 0;
    handler_.no_opendir_ = (out.flags & FUSE_NO_OPENDIR_SUPPORT) != 0;
    out.max_background = 64;
    out.congestion_threshold = 48;
    out.max_write = kBlock;
    out.time_gran = 1;
    out.max_pages = kMostPages;
    return done(bytes_of(out));
  }

  std::string statfs() const {
    fuse_statfs_out out{};
    out.st.bsize = out.st.frsize = kBlock;
    out.st.blocks = (handler_.files_.index().bytes + kBlock - 1) / kBlock;
    out.st.files = handler_.files_.index().nodes.size();
    out.st.namelen = 255;
    return done(bytes_of(out));
  }

  std::string lookup() const {
    const auto wanted = name(0);
    if (!wanted) return failed(EINVAL);
    if (!S_ISDIR(node_->mode)) return failed(ENOTDIR);
    const auto& names = node_->children;
    const auto found =
        std::lower_bound(names.begin(), names.end(), *wanted,
                         [](const auto& one, std::string_view text) { return one.first < text; });
    if (found != names.end() && found->first == *wanted) return done(bytes_of(entry(found->second)));
    fuse_entry_out out{};  // number 0: it is not there, and never will be
    out.entry_valid = kForever;
    return done(bytes_of(out));
  }

  std::string getattr() const {
    fuse_attr_out out{};
    out.attr_valid = kForever;
    out.attr = attributes(header_.nodeid - 1, *node_);
    return done(bytes_of(out));
  }

  std::string open(std::uint32_t flags) const {
    fuse_open_out out{};
    out.open_flags = flags;
    return done(bytes_of(out));
  }

  std::string read() const {
    const auto in = this->in<fuse_read_in>();
    if (!in) return failed(EINVAL);
    if (!S_ISREG(node_->mode)) return failed(EISDIR);
    const auto most = std::min<std::uint32_t>(in->size, kMostPages * kBlock);
    const auto bytes = handler_.files_.read(*node_, in->offset, most, stop_);
    return bytes.ok() ? done(*bytes) : failed(EIO);
  }

  std::string readdir(bool plus) const {
    const auto in = this->in<fuse_read_in>();
    if (!in) return failed(EINVAL);
    if (!S_ISDIR(node_->mode)) return failed(ENOTDIR);
    std::string out;
    for (std::uint64_t at = in->offset; at < node_->children.size() + 2; ++at) {
      const bool self = at < 2;
      const std::uint64_t number = at == 0   ? header_.nodeid - 1
                                   : at == 1 ? node_->parent
                                             : node_->children[at - 2].second;
      const std::string_view text =
          self ? std::string_view("..").substr(1 - at) : std::string_view(node_->children[at - 2].first);
      fuse_dirent dirent{};
      dirent.ino = number + 1;
      dirent.off = at + 1;
      dirent.namelen = static_cast<std::uint32_t>(text.size());
      dirent.type = handler_.files_.node(number)->mode >> 12;
      std::string one;
      // The kernel makes no entries of "." and "..".
      if (plus) one = self ? std::string(sizeof(fuse_entry_out), '\0') : std::string(bytes_of(entry(number)));
      one.append(reinterpret_cast<const char*>(&dirent), FUSE_NAME_OFFSET);
      one.append(text);
      one.resize((one.size() + 7) / 8 * 8);
      if (out.size() + one.size() > in->size) break;
      out += one;
    }
    return done(out);
  }

  /// Either the value, or when no room was given its size.
  std::string sized(std::string_view value, std::uint32_t room) const {
    if (room == 0) {
      fuse_getxattr_out out{};
      out.size = static_cast<std::uint32_t>(value.size());
      return done(bytes_of(out));
    }
    return value.size() <= room ? done(value) : failed(ERANGE);
  }

  std::string getxattr() const {
    const auto in = this->in<fuse_getxattr_in>();
    const auto wanted = name(sizeof(fuse_getxattr_in));
    if (!in || !wanted) return failed(EINVAL);
    for (const auto& [text, value] : node_->xattrs)
      if (text == *wanted) return sized(value, in->size);
    return failed(ENODATA);
  }

  std::string listxattr() const {
    const auto in = this->in<fuse_getxattr_in>();
    if (!in) return failed(EINVAL);
    std::string list;
    for (const auto& [text, value] : node_->xattrs) list.append(text).push_back('\0');
    return sized(list, in->size);
  }

  FuseHandler& handler_;
  const fuse_in_header& header_;
  const std::string_view body_;
  const std::stop_token& stop_;
  const archive::IndexNode* node_ = nullptr;
};

FuseHandler::FuseHandler(LayerFiles& files, const struct stat& root) : files_(files), root_(root) {
  for (const auto& node : files.index().nodes)
    for (const auto& [name, value] : node.xattrs) {
      has_xattrs_ = true;
      if (name.starts_with("system.posix_acl_")) has_acls_ = true;
    }
}

std::string FuseHandler::handle(std::string_view request, const std::stop_token& stop) {
  fuse_in_header header{};
  if (request.size() < sizeof header) return "";
  std::memcpy(&header, request.data(), sizeof header);
  request.remove_prefix(sizeof header);
  return FuseRequest(*this, header, request, stop).run();
}

}  // namespace skiff::lazy
