#include "api/routes.h"
#include "api/size.h"
#include "api/streams.h"

namespace skiff::api {

namespace docker = spec::docker;

Result<void> exec_create(Call& call) {
  const auto request = TRY(read_json<docker::ExecCreate>(call));
  if (request.cmd.empty()) return Error(Kind::InvalidArgument, "No exec command specified");
  return answer(call, 201, docker::ExecCreated{TRY(call.engine.execs.create(call.name(), request))});
}

Result<void> exec_start(Call& call) {
  const auto request = TRY(read_json<docker::ExecStart>(call));
  const bool terminal = TRY(call.engine.execs.prepare(call.name()));
  if (request.detach) {
    TRY(call.engine.execs.start(call.name(), request, sys::Fd(), {}));
    return answer_nothing(call, 200);
  }
  auto hijacked = TRY(call.http.hijack(hijack_type(call, terminal)));
  return call.engine.execs.start(call.name(), request, std::move(hijacked.socket),
                                 std::move(hijacked.early_input));
}

Result<void> exec_inspect(Call& call) {
  return answer(call, 200, TRY(call.engine.execs.inspect(call.name())));
}

Result<void> exec_resize(Call& call) {
  const auto size = TRY(size_of(call.query));
  TRY(call.engine.execs.resize(call.name(), size.columns, size.rows));
  return answer_nothing(call, 200);
}

}  // namespace skiff::api
