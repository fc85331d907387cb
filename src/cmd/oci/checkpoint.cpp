#include <stdlib.h>
#include <unistd.h>

#include "base/strings.h"
#include "cmd/oci/commands.h"
#include "cmd/oci/record.h"
#include "sys/file.h"
#include "sys/spawn.h"

namespace skiff::oci {
namespace {

bool is_installed(const std::string& program) {
  const char* path = ::getenv("PATH");
  for (const auto& directory : split(path ? path : "/usr/sbin:/usr/bin:/sbin:/bin", ':'))
    if (::access((directory + "/" + program).c_str(), X_OK) == 0) return true;
  return false;
}

/// What stands in the way of criu, in words: it is not there, or the kernel lacks what it needs.
Error why_not() {
  if (!is_installed("criu"))
    return Error(Kind::Unsupported, "criu is not installed: checkpoint and restore are its work");
  sys::SpawnOptions options;
  options.program = "criu";
  options.search_path = true;
  options.arguments = {"criu", "check"};
  const auto output = sys::run(options);
  if (!output) return output.error();
  if (output->status != 0)
    return fail(Kind::Unsupported, "this kernel cannot checkpoint: criu check: {}",
                trim(output->standard_error.empty() ? output->standard_output : output->standard_error));
  return Error(Kind::Unsupported, "checkpoint and restore are not supported by this runtime");
}

}  // namespace

Result<int> checkpoint(const Global& global, const Flags& flags) {
  const Home home(global.root, flags.arguments().front());
  const auto record = TRY(home.load());
  if (const auto status = status_of(home, record); status == Status::Created || status == Status::Stopped)
    return fail(Kind::Conflict, "Container cannot be checkpointed in {} state", to_string(status));
  return why_not();
}

Result<int> restore(const Global& global, const Flags& flags) {
  const auto& id = flags.arguments().front();
  const auto bundle = flags.get("bundle", ".");
  if (!sys::exists(bundle + "/config.json"))
    return Error(Kind::NotFound, "JSON specification file config.json not found");
  TRY(check_id(id));
  if (sys::exists(Home(global.root, id).path()))
    return Error(Kind::Conflict, "container with given ID already exists");
  return why_not();
}

}  // namespace skiff::oci
