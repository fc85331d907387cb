#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/cli.h"
#include "client/client.h"

namespace skiff::cli {

/// Where save and export write: standard output, or the file that -o names.
/// InvalidArgument in Docker's words for a terminal, a missing folder, a folder or a device; `doing` stands
/// before them ("failed to save image").
Result<void> check_tar_output(Cli& cli, const std::string& path, std::string_view doing);

/// Copies the stream there. A file appears under its name once it is whole.
Result<void> write_tar_output(client::Stream& stream, const std::string& path);

/// The bytes of an open file as a request's body.
http::LongBody body_from(int fd, std::string name);

}  // namespace skiff::cli
