#pragma once

namespace skiff::daemon {

/// To be called early in main(). When the program was started as the TLS end of a container's log (the
/// monitor does that: monitor/log_tls.h), carries what it gets to the server and never returns. Otherwise it
/// returns at once.
void log_tls_main(int argc, char** argv);

}  // namespace skiff::daemon
