#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "cmd/oci/flags.h"

/// The verbs of the OCI runtime command line, as containerd, Podman and CRI-O call them. Each gets its
/// options and arguments, counted and checked, and answers with the exit code of the program.
namespace skiff::oci {

struct Global {
  std::string root = "/run/skiff-runtime";
  bool systemd_cgroup = false;
};

constexpr std::size_t kAnyNumber = static_cast<std::size_t>(-1);

struct Command {
  std::string_view name;
  Result<int> (*run)(const Global&, const Flags&);
  std::string_view help;
  std::string_view arguments;  ///< "<container-id>"
  std::span<const Flag> flags;
  std::size_t least = 0;         ///< number of arguments
  std::size_t most = 0;          ///< kAnyNumber: what follows the first is passed on
  std::string_view failure;      ///< what stands in front of an error: "create failed"
  bool makes_processes = false;  ///< its image could be seen from a container
};

/// All of them, in alphabetical order (table.cpp).
std::span<const Command> commands();

// lifecycle.cpp
Result<int> create(const Global& global, const Flags& flags);
Result<int> start(const Global& global, const Flags& flags);
Result<int> run(const Global& global, const Flags& flags);
// delete.cpp
Result<int> remove(const Global& global, const Flags& flags);
// process.cpp
Result<int> kill(const Global& global, const Flags& flags);
Result<int> ps(const Global& global, const Flags& flags);
// exec.cpp
Result<int> exec(const Global& global, const Flags& flags);
// resources.cpp
Result<int> pause(const Global& global, const Flags& flags);
Result<int> resume(const Global& global, const Flags& flags);
Result<int> update(const Global& global, const Flags& flags);
// events.cpp
Result<int> events(const Global& global, const Flags& flags);
// checkpoint.cpp
Result<int> checkpoint(const Global& global, const Flags& flags);
// restore.cpp
Result<int> restore(const Global& global, const Flags& flags);
// inform.cpp
Result<int> state(const Global& global, const Flags& flags);
Result<int> list(const Global& global, const Flags& flags);
// describe.cpp
Result<int> spec(const Global& global, const Flags& flags);
Result<int> features(const Global& global, const Flags& flags);

/// To standard output, all of it (log.cpp). Streams of the standard library would cost every start of the
/// program the set-up of their locales.
Result<void> print(std::string_view text);
/// Warnings go where errors go, once the runtime is set up (log.cpp).
void warn(const std::string& text);
/// Shown with --debug.
void debug(const std::string& text);

}  // namespace skiff::oci
