#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "spec/reference.h"

/// Images from one engine to another, without a registry between them.
namespace skiff::cli {

/// An image, and the engine that has it or is to have it: "busybox", "ssh://me@host:22/busybox:1",
/// "tcp://127.0.0.1:2375/busybox", "unix:///run/skiff/skiff.sock/busybox".
struct ImagePlace {
  std::string engine;  ///< "ssh://me@host:22"; "" for the one that the command line speaks with
  std::string image;   ///< "" when only an engine was named
};
/// In a "unix://" address the part up to the first socket is the engine. InvalidArgument when there is none.
Result<ImagePlace> parse_place(std::string_view text);
/// True for what begins with the scheme of an engine's address.
bool names_engine(std::string_view text);

/// Copies `names` and shows the progress. The engine at the other end is asked what it has, and gets the
/// layers that it lacks; one that is not ours gets all. With `target`, which goes with one name, the copy has
/// that name alone.
Result<void> copy_images(Cli& cli, client::Client& from, client::Client& to,
                         const std::vector<std::string>& names, const std::string& target,
                         ProgressStyle style);

}  // namespace skiff::cli
