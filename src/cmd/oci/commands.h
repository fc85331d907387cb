#pragma once

#include <string>
#include <vector>

#include "base/result.h"

/// The verbs of the OCI runtime command line, as containerd, Podman and CRI-O call them. Each gets the words
/// after its name and answers with the exit code of the program.
namespace skiff::oci {

struct Global {
  std::string root = "/run/skiff-runtime";
  bool debug = false;
};

using Words = std::vector<std::string>;

// lifecycle.cpp
Result<int> create(const Global& global, const Words& words);
Result<int> start(const Global& global, const Words& words);
Result<int> run(const Global& global, const Words& words);
Result<int> remove(const Global& global, const Words& words);
// process.cpp
Result<int> kill(const Global& global, const Words& words);
Result<int> exec(const Global& global, const Words& words);
Result<int> ps(const Global& global, const Words& words);
// resources.cpp
Result<int> pause(const Global& global, const Words& words);
Result<int> resume(const Global& global, const Words& words);
Result<int> update(const Global& global, const Words& words);
Result<int> events(const Global& global, const Words& words);
// inform.cpp
Result<int> state(const Global& global, const Words& words);
Result<int> list(const Global& global, const Words& words);
Result<int> spec(const Global& global, const Words& words);
Result<int> features(const Global& global, const Words& words);

/// Warnings go where errors go, once the runtime is set up (skiff_runtime.cpp).
void warn(const std::string& text);

}  // namespace skiff::oci
