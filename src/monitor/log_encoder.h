#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "monitor/log_format.h"
#include "monitor/log_settings.h"

namespace skiff::monitor {

/// One line on its way to a log server, or a part of a line that is longer than kMaxLine.
struct LogMessage {
  Stream stream = Stream::Stdout;
  Time time{};
  std::string_view text;
  std::string_view part_id;  ///< the same for all parts of one line; "" for a whole line
  int part = 0;              ///< from 1
  bool last_part = false;
};

/// What goes to the server in one piece: one datagram, or one message of a stream.
struct LogPacket {
  std::string bytes;
  std::string acknowledge;  ///< the server confirms it by a reply that contains this; "": it does not
};

/// The form that a kind of log server wants.
class LogEncoder {
 public:
  virtual ~LogEncoder() = default;
  /// Appends the packets of one message.
  virtual void encode(const LogMessage& message, std::vector<LogPacket>& packets) = 0;
  /// Whether a datagram that is too large may come as a file (journald).
  virtual bool large_by_file() const { return false; }
};

/// For "syslog", "journald", "fluentd" and "gelf"; nothing for other drivers.
std::unique_ptr<LogEncoder> make_encoder(const LogSettings& settings);

}  // namespace skiff::monitor
