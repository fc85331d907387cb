#include "monitor/log_tls.h"

#include <fcntl.h>
#include <sys/socket.h>

namespace skiff::monitor {

void describe(json::Fields& f, LogTls& t) {
  f("program", t.program);
  f("address", t.address, json::Omit::Empty);
  f("server_name", t.server_name);
  f("ca", t.ca, json::Omit::Empty);
  f("cert", t.cert, json::Omit::Empty);
  f("key", t.key, json::Omit::Empty);
  f("skip_verify", t.skip_verify, json::Omit::Empty);
  f("environment", t.environment, json::Omit::Empty);
}

Result<TlsEnd> start_tls(LogTls options, const std::string& address) {
  options.address = address;
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return fail_errno("socketpair");
  TlsEnd end{.socket = sys::Fd(ends[0]), .process = {}};
  const sys::Fd theirs(ends[1]);
  const int flags = ::fcntl(end.socket.get(), F_GETFL);
  if (flags < 0 || ::fcntl(end.socket.get(), F_SETFL, flags | O_NONBLOCK) != 0) return fail_errno("fcntl");
  end.process = TRY(sys::spawn({.program = options.program,
                                .arguments = {kTlsProgram, json::encode(options)},
                                .environment = options.environment,
                                .directory = "/",
                                .standard_input = theirs.get()}));
  return end;
}

}  // namespace skiff::monitor
