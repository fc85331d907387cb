#include "api/streams.h"

#include "api/routes.h"
#include "base/log.h"
#include "base/strings.h"

namespace skiff::api {
namespace {

constexpr std::string_view kRawStream = "application/vnd.docker.raw-stream";
constexpr std::string_view kMultiplexedStream = "application/vnd.docker.multiplexed-stream";
constexpr ApiVersion kNamesMultiplexed{1, 42};

std::string_view stream_type(const Call& call, bool terminal) {
  return terminal || call.version < kNamesMultiplexed ? kRawStream : kMultiplexedStream;
}

Result<engine::LogOptions> log_options(const Query& query) {
  engine::LogOptions options;
  options.standard_output = query.boolean("stdout");
  options.standard_error = query.boolean("stderr");
  options.follow = query.boolean("follow");
  options.timestamps = query.boolean("timestamps");
  options.details = query.boolean("details");
  options.since = TRY(query.time("since"));
  options.until = TRY(query.time("until"));
  // Docker passes over a tail that is no number.
  if (const auto tail = parse_uint(query.get("tail"))) options.tail = static_cast<std::size_t>(*tail);
  return options;
}

}  // namespace

/// Clients that did not ask to upgrade know only the raw one.
std::string_view hijack_type(const Call& call, bool terminal) {
  return call.http.wants_upgrade() ? stream_type(call, terminal) : kRawStream;
}

Result<void> container_attach(Call& call) {
  engine::AttachOptions options;
  options.stream = call.query.boolean("stream");
  options.logs = call.query.boolean("logs");
  options.standard_input = call.query.boolean("stdin");
  options.standard_output = call.query.boolean("stdout");
  options.standard_error = call.query.boolean("stderr");
  options.detach_keys = call.query.get("detachKeys");
  const auto plan = TRY(call.engine.attach.prepare(call.name(), std::move(options)));
  return call.engine.attach.attach(plan, [&]() -> Result<engine::Attach::Client> {
    auto hijacked = TRY(call.http.hijack(hijack_type(call, plan.terminal)));
    return engine::Attach::Client{std::move(hijacked.socket), std::move(hijacked.early_input)};
  });
}

Result<void> container_logs(Call& call) {
  const auto options = TRY(log_options(call.query));
  const bool terminal = TRY(call.engine.logs.prepare(call.name(), options));
  const auto stop = call.http.stop_token();
  TRY(call.http.start(200, stream_type(call, terminal)));
  return call.engine.logs.read(
      call.name(), options, [&](std::string_view bytes) { return call.http.write(bytes); }, stop);
}

Result<void> container_stats(Call& call) {
  const bool streaming = call.query.boolean("stream", true);
  const bool one_shot = call.query.boolean("one-shot");
  if (streaming && one_shot) return Error(Kind::InvalidArgument, "cannot have stream=true and one-shot=true");
  const auto stop = call.http.stop_token();
  if (!streaming) return answer(call, 200, TRY(call.engine.stats.once(call.name(), !one_shot, stop)));
  return call.engine.stats.stream(
      call.name(),
      [&](const spec::docker::StatsResponse& sample) -> Result<void> {
        if (!call.http.answered()) TRY(call.http.start(200));
        return call.http.write(json::encode(sample) + "\n");
      },
      stop);
}

}  // namespace skiff::api
