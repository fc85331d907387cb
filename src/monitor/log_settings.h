#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "monitor/log_tls.h"

namespace skiff::monitor {

/// Where a remote driver sends to.
struct LogTarget {
  std::string network;  ///< "udp", "tcp", "tcp+tls", "unix" or "unixgram"
  /// The first that works is taken: numeric "address:port" ("[::1]:514"), or socket paths.
  std::vector<std::string> addresses;
  LogTls tls;  ///< of "tcp+tls"
};

/// What a monitor does with the output of its container. Names are resolved and templates filled in already.
struct LogSettings {
  std::string driver = "local";
  std::string directory;  ///< of the "local" log, which drivers that cannot be read keep beside; "": none
  std::string path;       ///< of the "json-file" log
  std::uint64_t max_bytes = 20 << 20;  ///< of each file; 0: no limit
  int max_files = 5;
  bool compress = true;
  LogTarget target;
  bool blocking = true;
  std::uint64_t buffer_bytes = 1 << 20;  ///< what waits for the server at most
  std::string tag;
  std::string host_name;
  std::map<std::string, std::string> fields;   ///< goes with every line, in the driver's own names
  std::map<std::string, std::string> options;  ///< the driver's own ("syslog-format"), checked before
};

void describe(json::Fields& f, LogTarget& t);
void describe(json::Fields& f, LogSettings& t);

}  // namespace skiff::monitor
