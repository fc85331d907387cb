#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "sys/fd.h"
#include "sys/spawn.h"

/// TLS to a log server is spoken by a process beside the monitor, which stays free of it (decisions/0017):
/// the daemon's program, started as kTlsProgram with a LogTls as its only argument and one end of a socket
/// pair as standard input. It says kTlsIsUp once it is connected, or else what is wrong, and carries bytes
/// from then on. It ends when the monitor has hung up and all is sent.
namespace skiff::monitor {

constexpr const char* kTlsProgram = "skiff-log-tls";
constexpr const char* kTlsIsUp = "\x06";

struct LogTls {
  std::string program;      ///< what speaks it
  std::string address;      ///< numeric; filled in by the monitor
  std::string server_name;  ///< what the certificate must be for
  std::string ca;           ///< file with further authorities; "": the system's alone
  std::string cert;         ///< files with what shows who we are; "": nothing does
  std::string key;
  bool skip_verify = false;
  std::vector<std::string> environment;  ///< where the system's authorities are, "SSL_CERT_FILE=/x"
};
void describe(json::Fields& f, LogTls& t);

struct TlsEnd {
  sys::Fd socket;  ///< ours, not blocking
  sys::Process process;
};
/// Starts it for the server at `address`. The caller reaps it.
Result<TlsEnd> start_tls(LogTls options, const std::string& address);

}  // namespace skiff::monitor
