#include <bit>
#include <cstring>

#include "base/strings.h"
#include "sys/dbus.h"

namespace skiff::sys::dbus {
namespace {

constexpr std::size_t kMaxMessage = 128 << 20;  // the specification's
constexpr std::size_t kFixedHeader = 16;
constexpr char kOwnEndian = std::endian::native == std::endian::little ? 'l' : 'B';

enum Field : std::uint8_t {
  kPath = 1,
  kInterface = 2,
  kMember = 3,
  kErrorName = 4,
  kReplySerial = 5,
  kDestination = 6,
  kSignature = 8
};

Error malformed() { return {Kind::InvalidArgument, "malformed D-Bus message"}; }

template <typename T>
void append_raw(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string_view type_of(const Value& value) {
  constexpr std::string_view kTypes[] = {"b", "u", "t", "s", "ay", "au", "as", "a(ss)"};
  if (const auto* typed = std::get_if<Typed>(&value)) return typed->type;
  return kTypes[value.index()];
}

}  // namespace

void Writer::number(std::uint32_t value) {
  align(sizeof value);
  append_raw(bytes_, value);
}

void Writer::large(std::uint64_t value) {
  align(sizeof value);
  append_raw(bytes_, value);
}

void Writer::text(std::string_view value) {
  number(static_cast<std::uint32_t>(value.size()));
  bytes_.append(value).push_back('\0');
}

void Writer::signature(std::string_view value) {
  byte(static_cast<std::uint8_t>(value.size()));
  bytes_.append(value).push_back('\0');
}

/// The length counts from the first element, which is aligned, and is written last.
template <typename Fill>
void Writer::array(std::size_t alignment, const Fill& fill) {
  number(0);
  const std::size_t length_at = bytes_.size() - sizeof(std::uint32_t);
  align(alignment);
  const std::size_t begin = bytes_.size();
  fill();
  const auto length = static_cast<std::uint32_t>(bytes_.size() - begin);
  std::memcpy(bytes_.data() + length_at, &length, sizeof length);
}

void Writer::typed(const Typed& value) {
  const char type = value.type.back();
  const std::size_t alignment = type == 'y' || type == 'g'                  ? 1
                                : type == 'n' || type == 'q'                ? 2
                                : type == 'x' || type == 't' || type == 'd' ? 8
                                                                            : 4;
  const auto write = [&] {
    for (const auto& element : value.elements) {
      align(alignment);
      bytes_ += element;
    }
  };
  if (value.type.starts_with('a'))
    array(alignment, write);
  else
    write();
}

void Writer::variant(const Value& value) {
  signature(type_of(value));
  struct {
    Writer& out;
    void operator()(bool flag) const { out.number(flag ? 1 : 0); }
    void operator()(std::uint32_t number) const { out.number(number); }
    void operator()(std::uint64_t number) const { out.large(number); }
    void operator()(const std::string& text) const { out.text(text); }
    void operator()(const std::vector<std::uint8_t>& bytes) const {
      out.array(1, [&] {
        for (const auto byte : bytes) out.byte(byte);
      });
    }
    void operator()(const std::vector<std::uint32_t>& numbers) const {
      out.array(4, [&] {
        for (const auto number : numbers) out.number(number);
      });
    }
    void operator()(const std::vector<std::string>& texts) const {
      out.array(4, [&] {
        for (const auto& text : texts) out.text(text);
      });
    }
    void operator()(const Typed& value) const { out.typed(value); }
    void operator()(const std::vector<std::pair<std::string, std::string>>& pairs) const {
      out.array(8, [&] {
        for (const auto& [first, second] : pairs) {
          out.align(8);
          out.text(first);
          out.text(second);
        }
      });
    }
  } write{*this};
  std::visit(write, value);
}

void Writer::properties(const Properties& values) {
  array(8, [&] {
    for (const auto& [name, value] : values) {
      align(8);
      text(name);
      variant(value);
    }
  });
}

Result<std::string_view> Reader::take(std::size_t size) {
  if (size > bytes_.size() - position_) return malformed();
  const auto taken = bytes_.substr(position_, size);
  position_ += size;
  return taken;
}

Result<void> Reader::align(std::size_t size) {
  TRY(take((size - position_ % size) % size));
  return {};
}

Result<std::uint8_t> Reader::byte() { return static_cast<std::uint8_t>(TRY(take(1))[0]); }

Result<std::uint32_t> Reader::number() {
  TRY(align(sizeof(std::uint32_t)));
  std::uint32_t value = 0;
  std::memcpy(&value, TRY(take(sizeof value)).data(), sizeof value);
  return big_endian_ == (std::endian::native == std::endian::big) ? value : __builtin_bswap32(value);
}

Result<std::string> Reader::text() {
  const auto size = TRY(number());
  std::string value(TRY(take(size)));
  TRY(take(1));
  return value;
}

Result<std::string> Reader::signature() {
  const auto size = TRY(byte());
  std::string value(TRY(take(size)));
  TRY(take(1));
  return value;
}

Result<std::string> Reader::plain_variant() {
  const auto type = TRY(signature());
  if (type == "s" || type == "o") return text();
  if (type == "g") return signature();
  if (type == "u") return std::to_string(TRY(number()));
  return fail(Kind::InvalidArgument, "a D-Bus value of type {} was not expected", quote(type));
}

std::string encode(const Message& message) {
  Writer out;
  out.byte(kOwnEndian);
  out.byte(static_cast<std::uint8_t>(message.type));
  out.byte(0);  // flags
  out.byte(1);  // version
  out.number(static_cast<std::uint32_t>(message.body.size()));
  out.number(message.serial);
  // The fields are an array of (byte, variant); their length is known once they are written.
  Writer fields;
  const auto field = [&](Field code, std::string_view type, std::string_view value) {
    if (value.empty()) return;
    fields.align(8);
    fields.byte(code);
    fields.signature(type);
    if (type == "g")
      fields.signature(value);
    else
      fields.text(value);
  };
  field(kPath, "o", message.path);
  field(kInterface, "s", message.interface);
  field(kMember, "s", message.member);
  field(kErrorName, "s", message.error);
  field(kDestination, "s", message.destination);
  field(kSignature, "g", message.signature);
  if (message.reply_to != 0) {
    fields.align(8);
    fields.byte(kReplySerial);
    fields.signature("u");
    fields.number(message.reply_to);
  }
  // They begin at 16, a multiple of every alignment, so that they may be written apart.
  out.text(fields.bytes());
  std::string bytes = out.bytes();
  bytes.pop_back();  // an array of bytes has no zero behind it, as a text has
  bytes.resize((bytes.size() + 7) / 8 * 8);
  return bytes + message.body;
}

Result<std::optional<Message>> decode(std::string_view bytes, std::size_t& size) {
  if (bytes.size() < kFixedHeader) return std::optional<Message>();
  Message message;
  if (bytes[0] != 'l' && bytes[0] != 'B') return malformed();
  message.big_endian = bytes[0] == 'B';
  Reader header(bytes, message.big_endian);
  TRY(header.byte());
  message.type = static_cast<Message::Type>(TRY(header.byte()));
  TRY(header.take(2));
  const std::size_t body_size = TRY(header.number());
  message.serial = TRY(header.number());
  const std::size_t fields_size = TRY(header.number());
  const std::size_t fields_end = kFixedHeader + fields_size;
  size = (fields_end + 7) / 8 * 8 + body_size;
  if (body_size > kMaxMessage || fields_size > kMaxMessage) return malformed();
  if (bytes.size() < size) return std::optional<Message>();
  Reader fields(bytes.substr(0, fields_end), message.big_endian);
  TRY(fields.take(kFixedHeader));
  while (!fields.at_end()) {
    TRY(fields.align(8));
    const auto code = TRY(fields.byte());
    auto value = TRY(fields.plain_variant());
    if (code == kPath)
      message.path = std::move(value);
    else if (code == kInterface)
      message.interface = std::move(value);
    else if (code == kMember)
      message.member = std::move(value);
    else if (code == kErrorName)
      message.error = std::move(value);
    else if (code == kDestination)
      message.destination = std::move(value);
    else if (code == kSignature)
      message.signature = std::move(value);
    else if (code == kReplySerial)
      message.reply_to = static_cast<std::uint32_t>(parse_uint(value).value_or(0));
  }
  message.body = bytes.substr(size - body_size, body_size);
  return std::optional(std::move(message));
}

Error to_error(const Message& answer) {
  const auto text =
      answer.signature.starts_with('s') ? answer.reader().text() : Result<std::string>(std::string());
  return {Kind::Internal, fmt::format("{}: {}", answer.error, text ? *text : std::string())};
}

bool is_error(const Error& error, std::string_view name) {
  return error.message().starts_with(std::string(name) + ": ");
}

}  // namespace skiff::sys::dbus
