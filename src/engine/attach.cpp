#include "engine/attach.h"

#include "base/strings.h"
#include "engine/container.h"
#include "engine/events.h"
#include "engine/frames.h"
#include "engine/lifecycle.h"
#include "engine/log_options.h"
#include "sys/file.h"

namespace skiff::engine {
namespace {

constexpr std::string_view kDefaultDetachKeys = "ctrl-p,ctrl-q";

/// Writes what the container said so far to a client.
Result<void> replay(monitor::LogSource& log, const AttachPlan& plan, const sys::Fd& client) {
  while (const auto record = TRY(log.next())) {
    std::string line(record->bytes);
    if (!record->partial) line += plan.terminal ? "" : "\n";
    TRY(sys::write_all(client, plan.terminal ? line : frame(static_cast<int>(record->stream), line)));
  }
  return {};
}

}  // namespace

Result<std::string> parse_detach_keys(std::string_view text) {
  std::string bytes;
  if (text.empty()) text = kDefaultDetachKeys;
  for (const std::string& key : split(text, ',')) {
    if (key.size() == 1) {
      bytes += key;
      continue;
    }
    if (key == "DEL") {
      bytes += '\x7f';
      continue;
    }
    if (!key.starts_with("ctrl-") || key.size() != 6)
      return fail(Kind::InvalidArgument, "Unknown character: '{}'", key);
    const char letter = key[5];
    if (letter >= 'a' && letter <= 'z')
      bytes += static_cast<char>(letter - 'a' + 1);
    else if (letter == '@')
      bytes += '\0';
    else if (letter >= '[' && letter <= '_')
      bytes += static_cast<char>(letter - '[' + 27);
    else
      return fail(Kind::InvalidArgument, "Unknown character: '{}'", key);
  }
  return bytes;
}

Result<AttachPlan> Attach::prepare(std::string_view name, AttachOptions options) {
  AttachPlan plan;
  plan.container = TRY(set_.find(name));
  auto keys = parse_detach_keys(options.detach_keys);
  if (!keys.ok())
    return fail(Kind::InvalidArgument, "Invalid detach keys ({}) provided", options.detach_keys);
  plan.detach_bytes = *std::move(keys);
  const State state = plan.container->state_now();
  if (state == State::Paused) {
    return fail(Kind::Conflict, "container {} is paused, unpause the container before attach",
                plan.container->id);
  }
  if (state == State::Restarting) {
    return fail(Kind::Conflict, "container {} is restarting, wait until the container is running",
                plan.container->id);
  }
  plan.options = std::move(options);
  plan.terminal = plan.container->definition_now().config.tty;
  return plan;
}

Result<void> Attach::attach(const AttachPlan& plan, const std::function<Result<Client>()>& hijack) {
  Container& container = *plan.container;
  events_.publish("container", "attach", container.id, event_attributes(container.definition_now()));
  if (plan.options.logs || !plan.options.stream || container.task_now()) {
    Client client = TRY(hijack());
    const Definition definition = container.definition_now();
    if (plan.options.logs && log_is_readable(definition.host.log_config)) {
      monitor::LogQuery query;
      query.standard_output = plan.options.standard_output;
      query.standard_error = plan.options.standard_error;
      const auto log = TRY(open_log(parts_.config, definition, query));
      TRY(replay(*log, plan, client.socket));
    }
    if (!plan.options.stream) return {};
    const MutexLock operation(container.operation);
    return join(plan, std::move(client));
  }
  // It has not started. Whoever sees the answer may start it at once, and must find the client there.
  const MutexLock operation(container.operation);
  return join(plan, TRY(hijack()));
}

/// A start in between either takes the client along or is over before: `operation` is held.
Result<void> Attach::join(const AttachPlan& plan, Client client) {
  Container& container = *plan.container;
  runner::Attachment attachment;
  attachment.client = std::move(client.socket);
  attachment.early_input = std::move(client.early_input);
  attachment.standard_input = plan.options.standard_input && container.definition_now().config.open_stdin;
  attachment.standard_output = plan.options.standard_output;
  attachment.standard_error = plan.options.standard_error;
  attachment.multiplexed = !plan.terminal;
  attachment.detach_keys = plan.detach_bytes;
  std::shared_ptr<runner::Task> task;
  {
    const MutexLock lock(container.mutex);
    if (container.removed) return fail(Kind::NotFound, "No such container: {}", container.id);
    if (!container.task) {
      container.pending.push_back(std::move(attachment));
      return {};
    }
    task = container.task;
  }
  return task->attach(std::move(attachment));
}

}  // namespace skiff::engine
