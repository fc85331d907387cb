#include "runtime/criu_protocol.h"

namespace skiff::runtime::criu {
namespace {

constexpr unsigned kVarint = 0;  // wire types
constexpr unsigned kFixed64 = 1;
constexpr unsigned kBytes = 2;
constexpr unsigned kFixed32 = 5;

/// Builds one message; nested ones are built first and put in as bytes.
class Writer {
 public:
  void number(unsigned field, std::uint64_t value) {
    varint(field << 3 | kVarint);
    varint(value);
  }
  void flag(unsigned field, bool value) {
    if (value) number(field, 1);
  }
  void descriptor(unsigned field, int value) {
    if (value >= 0) number(field, static_cast<std::uint64_t>(value));
  }
  void bytes(unsigned field, std::string_view value) {
    varint(field << 3 | kBytes);
    varint(value.size());
    text_ += value;
  }
  void text(unsigned field, std::string_view value) {
    if (!value.empty()) bytes(field, value);
  }
  void message(unsigned field, const Writer& value) { bytes(field, value.text_); }
  std::string take() { return std::move(text_); }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) text_ += static_cast<char>(value | 0x80);
    text_ += static_cast<char>(value);
  }
  std::string text_;
};

struct Field {
  unsigned number = 0;
  std::uint64_t value = 0;
  std::string_view bytes;
};

/// Walks over the fields of one message. `ok` says whether its end was a proper one.
class Reader {
 public:
  explicit Reader(std::string_view rest) : rest_(rest) {}
  bool ok() const { return ok_; }

  std::optional<Field> next() {
    if (rest_.empty() || !ok_) return {};
    const auto key = varint();
    Field field;
    field.number = static_cast<unsigned>(key >> 3);
    switch (key & 7) {
      case kVarint:
        field.value = varint();
        break;
      case kBytes:
        field.bytes = take(varint());
        break;
      case kFixed64:
        take(8);
        break;
      case kFixed32:
        take(4);
        break;
      default:
        ok_ = false;
    }
    return ok_ ? std::optional(field) : std::nullopt;
  }

 private:
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = take(1);
      if (!ok_) return 0;
      value |= static_cast<std::uint64_t>(byte[0] & 0x7f) << shift;
      if ((byte[0] & 0x80) == 0) return value;
    }
    ok_ = false;
    return 0;
  }
  std::string_view take(std::uint64_t size) {
    ok_ = ok_ && size <= rest_.size();
    if (!ok_) return {};
    const auto part = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return part;
  }
  std::string_view rest_;
  bool ok_ = true;
};

void write_switches(Writer& out, const Options& options) {
  out.flag(3, options.leave_running);
  out.flag(4, options.external_unix_sockets);
  out.flag(5, options.tcp_established);
  out.flag(6, options.evasive_devices);
  out.flag(7, options.shell_job);
  out.flag(8, options.file_locks);
  out.flag(15, !options.parent_images.empty());
  out.flag(16, options.auto_dedup);
  out.flag(18, options.link_remap);
  out.flag(26, options.restore_as_sibling);
  out.flag(46, options.tcp_skip_in_flight);
  out.flag(48, options.lazy_pages);
  out.flag(52, options.tcp_close);
}

void write_lists(Writer& out, const Options& options) {
  for (const auto& root : options.cgroup_roots) {
    Writer nested;
    nested.bytes(1, root.controller);
    nested.bytes(2, root.path);
    out.message(25, nested);
  }
  for (const auto& inherited : options.inherited) {
    Writer nested;
    nested.bytes(1, inherited.key);
    nested.descriptor(2, inherited.fd);
    out.message(27, nested);
  }
  for (const auto& external : options.external) out.bytes(37, external);
  for (const auto& space : options.joined) {
    Writer nested;
    nested.bytes(1, space.name);
    nested.bytes(2, space.path);
    out.message(39, nested);
  }
}

Writer write(const Options& options) {
  constexpr std::uint64_t kEverything = 4;  // of the log
  Writer out;
  out.descriptor(1, options.images_directory);
  out.descriptor(2, options.pid);
  out.number(9, kEverything);
  out.text(10, options.log_file);
  if (options.page_server) {
    Writer nested;
    nested.bytes(1, options.page_server->address);
    nested.descriptor(2, options.page_server->port);
    out.message(11, nested);
  }
  out.flag(12, true);  // tell us what happens (Notify)
  out.text(13, options.root);
  out.text(14, options.parent_images);
  out.descriptor(17, options.work_directory);
  out.flag(24, true);  // look at `cgroups` at all
  out.number(34, static_cast<std::uint64_t>(options.cgroups));
  if (options.empty_namespaces != 0) out.number(38, options.empty_namespaces);
  out.text(44, options.freeze_cgroup);
  out.flag(50, true);  // hand over the master of a restored terminal
  out.text(51, options.config_file);
  out.text(53, options.lsm_profile);
  out.text(63, options.lsm_mount_context);
  write_switches(out, options);
  write_lists(out, options);
  return out;
}

bool read_notification(std::string_view bytes, Response& response) {
  Reader in(bytes);
  while (const auto field = in.next()) {
    if (field->number == 1) response.script = field->bytes;
    if (field->number == 2) response.pid = static_cast<int>(field->value);
  }
  return in.ok();
}

bool read_features(std::string_view bytes, Features& features) {
  Reader in(bytes);
  while (const auto field = in.next()) {
    if (field->number == 1) features.memory_tracking = field->value != 0;
    if (field->number == 2) features.lazy_pages = field->value != 0;
  }
  return in.ok();
}

bool read_version(std::string_view bytes, int& version) {
  Reader in(bytes);
  bool between_releases = false;
  while (const auto field = in.next()) {
    const int value = static_cast<int>(field->value);
    if (field->number == 1) version += value * 10'000;
    if (field->number == 2) version += value * 100;
    if (field->number == 3) between_releases = !field->bytes.empty();
    if (field->number == 4) version += value;
  }
  if (between_releases) version += 100 - version % 100;
  return in.ok();
}

}  // namespace

std::string_view to_string(Type type) {
  switch (type) {
    case Type::Dump:
      return "DUMP";
    case Type::Restore:
      return "RESTORE";
    case Type::PreDump:
      return "PRE_DUMP";
    case Type::Notify:
      return "NOTIFY";
    case Type::FeatureCheck:
      return "FEATURE_CHECK";
    case Type::Version:
      return "VERSION";
  }
  return "UNKNOWN";
}

std::string encode(const Request& request) {
  Writer out;
  out.number(1, static_cast<std::uint64_t>(request.type));
  if (request.options) out.message(2, write(*request.options));
  if (request.notify_success) out.number(3, *request.notify_success ? 1 : 0);
  out.flag(4, request.keep_open);
  if (request.features) {
    Writer nested;
    nested.flag(1, request.features->memory_tracking);
    nested.flag(2, request.features->lazy_pages);
    out.message(5, nested);
  }
  return out.take();
}

Result<Response> decode(std::string_view bytes) {
  Response response;
  Reader in(bytes);
  bool ok = true;
  while (const auto field = in.next()) {
    if (field->number == 1) response.type = static_cast<Type>(field->value);
    if (field->number == 2) response.success = field->value != 0;
    if (field->number == 5) ok = ok && read_notification(field->bytes, response);
    if (field->number == 7) response.error_number = static_cast<int>(field->value);
    if (field->number == 8) ok = ok && read_features(field->bytes, response.features);
    if (field->number == 10) ok = ok && read_version(field->bytes, response.version);
  }
  if (!ok || !in.ok()) return Error(Kind::InvalidArgument, "criu sent a message that cannot be read");
  return response;
}

}  // namespace skiff::runtime::criu
