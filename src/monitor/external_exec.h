#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "monitor/backend.h"
#include "monitor/external_program.h"

namespace skiff::monitor {

/// Has `program` start another process in its container (`exec --detach`): it becomes this process's child
/// when the runtime's own has ended.
Result<std::unique_ptr<PendingProgram>> external_exec(const ExternalProgram& program, const std::string& id,
                                                      const spec::oci::Process& process,
                                                      const runtime::Streams& streams);

/// The process whose number the runtime has written to the file `path`. It must be a child of this one: a
/// number that came from elsewhere is not to be signalled.
Result<sys::Process> process_in(const std::string& path);

}  // namespace skiff::monitor
