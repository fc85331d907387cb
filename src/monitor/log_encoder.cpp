#include "monitor/log_encoder.h"

#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <cmath>

#include "base/ids.h"
#include "base/strings.h"
#include "monitor/json_text.h"

namespace skiff::monitor {
namespace {

/// RFC 5424 section 6.2.1.
constexpr int kError = 3;
constexpr int kInformational = 6;

int severity(Stream stream) { return stream == Stream::Stderr ? kError : kInformational; }

std::string option(const LogSettings& settings, const std::string& name) {
  const auto found = settings.options.find(name);
  return found == settings.options.end() ? std::string() : found->second;
}

std::int64_t nanoseconds(Time time) { return time.time_since_epoch().count(); }

/// RFC 3164 and RFC 5424, and with no format Docker's usual one, which is RFC 3164 without the host's name.
class SyslogEncoder final : public LogEncoder {
 public:
  explicit SyslogEncoder(const LogSettings& settings)
      : format_(option(settings, "format")),
        facility_(static_cast<int>(parse_int(option(settings, "facility")).value_or(3))),
        host_(settings.host_name),
        tag_(settings.tag) {}

  void encode(const LogMessage& message, std::vector<LogPacket>& packets) override {
    const int priority = facility_ * 8 + severity(message.stream);
    std::string text;
    if (format_.starts_with("rfc5424")) {
      text = fmt::format("<{}>1 {} {} {} {} {} - ", priority, modern_time(message.time), host_, tag_,
                         ::getpid(), tag_);
    } else {
      text = fmt::format("<{}>{} {}{}[{}]: ", priority, old_time(message.time),
                         format_.empty() ? "" : host_ + " ", tag_, ::getpid());
    }
    text += message.text;
    text += '\n';
    packets.push_back({.bytes = std::move(text), .acknowledge = {}});
  }

 private:
  /// "Jan  2 15:04:05", by the clock on the wall.
  static std::string old_time(Time time) {
    const auto seconds =
        static_cast<time_t>(std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count());
    tm local{};
    ::localtime_r(&seconds, &local);
    char text[32];
    return {text, ::strftime(text, sizeof(text), "%b %e %H:%M:%S", &local)};
  }

  std::string modern_time(Time time) const {
    const auto second = std::chrono::floor<std::chrono::seconds>(time);
    std::string text = format_rfc3339(Time(second));
    if (format_ == "rfc5424micro") {
      text.pop_back();
      text += fmt::format(".{:06}Z",
                          std::chrono::duration_cast<std::chrono::microseconds>(time - second).count());
    }
    return text;
  }

  std::string format_;
  int facility_;
  std::string host_;
  std::string tag_;
};

/// systemd's "Native Journal Protocol": NAME=value lines.
class JournaldEncoder final : public LogEncoder {
 public:
  explicit JournaldEncoder(const LogSettings& settings) : epoch_(random_hex(32)) {
    for (const auto& [name, value] : settings.fields) append(fields_, name, value);
  }

  void encode(const LogMessage& message, std::vector<LogPacket>& packets) override {
    std::string text = fields_;
    append(text, "CONTAINER_LOG_EPOCH", epoch_);
    append(text, "CONTAINER_LOG_ORDINAL", std::to_string(++ordinal_));
    append(text, "SYSLOG_TIMESTAMP", format_rfc3339(message.time));
    if (!message.part_id.empty()) {
      if (!message.last_part) append(text, "CONTAINER_PARTIAL_MESSAGE", "true");
      append(text, "CONTAINER_PARTIAL_ID", message.part_id);
      append(text, "CONTAINER_PARTIAL_ORDINAL", std::to_string(message.part));
      append(text, "CONTAINER_PARTIAL_LAST", message.last_part ? "true" : "false");
    }
    append(text, "PRIORITY", std::to_string(severity(message.stream)));
    append(text, "MESSAGE", message.text);
    packets.push_back({.bytes = std::move(text), .acknowledge = {}});
  }
  bool large_by_file() const override { return true; }

 private:
  /// A value with a newline in it is given by its length, 64 bits with the low byte first.
  static void append(std::string& out, std::string_view name, std::string_view value) {
    out += name;
    if (value.find('\n') == std::string_view::npos) {
      out += '=';
    } else {
      out += '\n';
      for (int i = 0; i < 8; ++i) out += static_cast<char>(std::uint64_t{value.size()} >> (8 * i));
    }
    out.append(value).append("\n");
  }

  std::string fields_;
  std::string epoch_;
  std::uint64_t ordinal_ = 0;
};

/// Fluentd's forward protocol, message mode: [tag, time, record, option] in MessagePack.
class FluentdEncoder final : public LogEncoder {
 public:
  explicit FluentdEncoder(const LogSettings& settings)
      : tag_(settings.tag),
        fields_(settings.fields),
        sub_second_(!option(settings, "sub-second").empty()),
        acknowledge_(!option(settings, "acknowledge").empty()) {}

  void encode(const LogMessage& message, std::vector<LogPacket>& packets) override {
    std::string out;
    out += '\x94';  // an array of four
    text(out, tag_);
    moment(out, message.time);
    const bool part = !message.part_id.empty();
    map(out, fields_.size() + 2 + (part ? 4 : 0));
    for (const auto& [name, value] : fields_) pair(out, name, value);
    pair(out, "source", message.stream == Stream::Stdout ? "stdout" : "stderr");
    pair(out, "log", message.text);
    if (part) {
      pair(out, "partial_message", "true");
      pair(out, "partial_id", message.part_id);
      pair(out, "partial_ordinal", std::to_string(message.part));
      pair(out, "partial_last", message.last_part ? "true" : "false");
    }
    std::string chunk;
    map(out, acknowledge_ ? 1 : 0);
    if (acknowledge_) {
      chunk = random_hex(16);
      pair(out, "chunk", chunk);
    }
    packets.push_back({.bytes = std::move(out), .acknowledge = std::move(chunk)});
  }

 private:
  static void big_endian(std::string& out, std::uint64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
  }
  static void text(std::string& out, std::string_view value) {
    if (value.size() < 32) {
      out += static_cast<char>(0xa0 | value.size());
    } else if (value.size() < 256) {
      out += '\xd9';
      big_endian(out, value.size(), 1);
    } else if (value.size() < 65536) {
      out += '\xda';
      big_endian(out, value.size(), 2);
    } else {
      out += '\xdb';
      big_endian(out, value.size(), 4);
    }
    out += value;
  }
  static void map(std::string& out, std::size_t members) {
    if (members < 16) {
      out += static_cast<char>(0x80 | members);
    } else {
      out += '\xde';
      big_endian(out, members, 2);
    }
  }
  static void pair(std::string& out, std::string_view name, std::string_view value) {
    text(out, name);
    text(out, value);
  }
  /// Seconds, or an EventTime with nanoseconds (extension 0).
  void moment(std::string& out, Time time) const {
    const std::int64_t nano = nanoseconds(time);
    out += sub_second_ ? "\xd7" : "\xd2";
    if (sub_second_) out += '\0';
    big_endian(out, static_cast<std::uint64_t>(nano / 1000000000), 4);
    if (sub_second_) big_endian(out, static_cast<std::uint64_t>(nano % 1000000000), 4);
  }

  std::string tag_;
  std::map<std::string, std::string> fields_;
  bool sub_second_;
  bool acknowledge_;
};

/// GELF 1.1: JSON, in compressed datagrams of at most kChunk bytes, or ended by NUL on a stream.
class GelfEncoder final : public LogEncoder {
 public:
  explicit GelfEncoder(const LogSettings& settings)
      : host_(settings.host_name),
        datagrams_(settings.target.network == "udp"),
        compression_(option(settings, "compression")),
        level_(static_cast<int>(parse_int(option(settings, "level")).value_or(1))) {
    append_json_object(extra_, settings.fields);
    extra_.erase(0, 1);  // continues the object of the message
  }

  void encode(const LogMessage& message, std::vector<LogPacket>& packets) override {
    if (message.text.empty()) return;  // a message must not be empty
    std::string text = R"({"version":"1.1","host":)";
    append_json_string(text, host_);
    text += R"(,"short_message":)";
    append_json_string(text, message.text);
    const std::int64_t milliseconds = nanoseconds(message.time) / 1000000;
    text += fmt::format(R"(,"timestamp":{}.{:03},"level":{})", milliseconds / 1000, milliseconds % 1000,
                        severity(message.stream));
    if (extra_.size() > 1) text += ',';
    text += extra_;
    if (!datagrams_) {
      text += '\0';
      packets.push_back({.bytes = std::move(text), .acknowledge = {}});
      return;
    }
    if (compression_ != "none") text = pack(text);
    if (text.size() <= kChunk)
      packets.push_back({.bytes = std::move(text), .acknowledge = {}});
    else
      split(text, packets);
  }

 private:
  static constexpr std::size_t kChunk = 1420;
  static constexpr std::size_t kChunkHeader = 12;
  static constexpr std::size_t kMaxChunks = 128;

  /// With a small window: messages are short, and so is the memory of a monitor.
  std::string pack(const std::string& text) const {
    z_stream stream{};
    constexpr int kWindow = 13;
    const int format = compression_ == "zlib" ? kWindow : kWindow + 16;
    if (::deflateInit2(&stream, level_, Z_DEFLATED, format, 5, Z_DEFAULT_STRATEGY) != Z_OK) return text;
    std::string packed(::deflateBound(&stream, text.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    const bool good = ::deflate(&stream, Z_FINISH) == Z_STREAM_END;
    packed.resize(stream.total_out);
    ::deflateEnd(&stream);
    return good ? packed : text;
  }

  static void split(std::string_view text, std::vector<LogPacket>& packets) {
    const std::size_t room = kChunk - kChunkHeader;
    const std::size_t count = (text.size() + room - 1) / room;
    if (count > kMaxChunks) return;  // the protocol knows no larger message
    const std::string id = random_hex(4);
    for (std::size_t i = 0; i < count; ++i) {
      std::string chunk = "\x1e\x0f";
      chunk += id;
      chunk += static_cast<char>(i);
      chunk += static_cast<char>(count);
      chunk += text.substr(i * room, room);
      packets.push_back({.bytes = std::move(chunk), .acknowledge = {}});
    }
  }

  std::string host_;
  bool datagrams_;
  std::string compression_;
  int level_;
  std::string extra_;
};

}  // namespace

std::unique_ptr<LogEncoder> make_encoder(const LogSettings& settings) {
  if (settings.driver == "syslog") return std::make_unique<SyslogEncoder>(settings);
  if (settings.driver == "journald") return std::make_unique<JournaldEncoder>(settings);
  if (settings.driver == "fluentd") return std::make_unique<FluentdEncoder>(settings);
  if (settings.driver == "gelf") return std::make_unique<GelfEncoder>(settings);
  return nullptr;
}

}  // namespace skiff::monitor
