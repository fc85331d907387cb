#include "engine/logs.h"

#include "engine/container.h"
#include "engine/frames.h"
#include "engine/log_options.h"
#include "engine/signal_fd.h"

namespace skiff::engine {
namespace {

using namespace std::chrono_literals;

/// So much is collected before the client gets it, unless there is no more.
constexpr std::size_t kBatch = 64 << 10;

bool may_write_more(Container& container) {
  const State state = container.state_now();
  return is_running(state) || state == State::Restarting;
}

std::string line_of(const monitor::LogRecord& record, const LogOptions& options) {
  std::string line;
  if (options.timestamps) line = format_rfc3339_fixed(record.time) + " ";
  if (options.details) line.append(record.details).append(" ");
  line += record.bytes;
  if (!record.partial) line += "\n";
  return line;
}

}  // namespace

Result<bool> Logs::prepare(std::string_view name, const LogOptions& options) {
  if (!options.standard_output && !options.standard_error)
    return Error(Kind::InvalidArgument, "Bad parameters: you must choose at least one stream");
  const Definition definition = TRY(set_.find(name))->definition_now();
  if (!log_is_readable(definition.host.log_config))
    return Error(Kind::Unsupported, "configured logging driver does not support reading");
  return definition.config.tty;
}

Result<void> Logs::read(std::string_view name, const LogOptions& options, const LogSink& sink,
                        std::stop_token stop) {
  const auto container = TRY(set_.find(name));
  monitor::LogQuery query;
  query.standard_output = options.standard_output;
  query.standard_error = options.standard_error;
  query.since = options.since;
  query.until = options.until;
  query.tail = options.tail;
  const bool follow = options.follow && may_write_more(*container);
  query.only_present = !follow;
  const auto reader = TRY(open_log(parts_.config, container->definition_now(), query));
  const auto end = TRY(EndSignal::create(container, stop));
  const bool terminal = container->definition_now().config.tty;
  std::string batch;
  while (!stop.stop_requested()) {
    // Asked before the reading, so that what was written last is not missed.
    const bool written = may_write_more(*container);
    const bool more_may_come = follow && written;
    if (!written) reader->set_abandoned();
    bool any = false;
    while (!stop.stop_requested()) {
      const auto record = TRY(reader->next());
      if (record) {
        any = true;
        const std::string line = line_of(*record, options);
        batch += terminal ? line : frame(static_cast<int>(record->stream), line);
      }
      if (!batch.empty() && (!record || batch.size() >= kBatch)) {
        TRY(sink(batch));
        batch.clear();
      }
      if (!record) break;
    }
    if (!more_may_come || (options.until && now() >= *options.until)) return {};
    if (any) continue;
    eventfd_t ignored = 0;
    const auto woken = TRY(reader->wait(options.until ? 200ms : 60s, end->fd()));
    if (woken == monitor::LogSource::Wake::Interrupted) ::eventfd_read(end->fd(), &ignored);
  }
  return {};
}

}  // namespace skiff::engine
