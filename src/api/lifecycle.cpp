#include "api/routes.h"
#include "api/size.h"
#include "base/strings.h"

namespace skiff::api {

namespace docker = spec::docker;

Result<Size> size_of(const Query& query) {
  Size size;
  for (const auto& [name, word, member] :
       {std::tuple{"h", "height", &size.rows}, {"w", "width", &size.columns}}) {
    const auto& text = query.get(name);
    const auto number = parse_uint(text);
    if (!number || *number > 0xffff)
      return fail(Kind::InvalidArgument, "invalid resize {} {}: invalid syntax", word, quote(text));
    *member = static_cast<int>(*number);
  }
  return size;
}

Result<void> container_start(Call& call) {
  // A body was how old clients changed the HostConfig at the start; it is gone since API 1.24.
  const auto text = TRY(call.http.read_body(static_cast<std::size_t>(call.config.max_body_bytes)));
  if (!trim(text).empty() && trim(text) != "{}")
    return Error(
        Kind::InvalidArgument,
        "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24");
  TRY(call.engine.lifecycle.start(call.name()));
  return answer_nothing(call, 204);
}

namespace {

Result<std::optional<int>> timeout_of(const Call& call) {
  const auto seconds = TRY(call.query.integer("t"));
  return seconds ? std::optional<int>(static_cast<int>(*seconds)) : std::nullopt;
}

}  // namespace

Result<void> container_stop(Call& call) {
  TRY(call.engine.lifecycle.stop(call.name(), TRY(timeout_of(call)), call.query.get("signal")));
  return answer_nothing(call, 204);
}

Result<void> container_restart(Call& call) {
  TRY(call.engine.lifecycle.restart(call.name(), TRY(timeout_of(call)), call.query.get("signal")));
  return answer_nothing(call, 204);
}

Result<void> container_kill(Call& call) {
  TRY(call.engine.lifecycle.kill(call.name(), call.query.get("signal")));
  return answer_nothing(call, 204);
}

Result<void> container_pause(Call& call) {
  TRY(call.engine.lifecycle.pause(call.name()));
  return answer_nothing(call, 204);
}

Result<void> container_unpause(Call& call) {
  TRY(call.engine.lifecycle.unpause(call.name()));
  return answer_nothing(call, 204);
}

Result<void> container_resize(Call& call) {
  const auto size = TRY(size_of(call.query));
  TRY(call.engine.lifecycle.resize(call.name(), size.columns, size.rows));
  return answer_nothing(call, 200);
}

/// The headers go out as soon as the wait is registered: clients start the container only then.
Result<void> container_wait(Call& call) {
  const auto condition = TRY(engine::parse_wait_condition(call.query.get("condition")));
  auto waiter = TRY(call.engine.lifecycle.wait(call.name(), condition));
  const auto stop = call.http.stop_token();
  TRY(call.http.start(200));
  auto result = waiter.get(stop);
  docker::WaitResponse response;
  if (result.ok()) {
    response.status_code = result->exit_code;
  } else if (result.error().kind() == Kind::Cancelled) {
    return std::move(result).error();
  } else {
    response.error = docker::WaitError{result.error().message()};
  }
  return call.http.write(json::encode(response) + "\n");
}

}  // namespace skiff::api
