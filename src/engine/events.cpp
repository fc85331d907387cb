#include "engine/events.h"

namespace skiff::engine {
namespace {

Time time_of(const spec::docker::EventMessage& event) {
  return Time(std::chrono::nanoseconds(event.time_nano));
}

/// The filters named after a type ("container=web") match that type's events by the start of id or name.
bool matches_actor(const Filters& filters, std::string_view type, const spec::docker::EventMessage& event) {
  if (!filters.has(type)) return true;
  if (event.type != type) return false;
  const auto name = event.actor.attributes.find("name");
  for (const std::string& wanted : filters.values(type)) {
    if (event.actor.id.starts_with(wanted)) return true;
    if (name != event.actor.attributes.end() && name->second.starts_with(wanted)) return true;
  }
  return false;
}

bool matches_action(const Filters& filters, const std::string& action) {
  if (!filters.has("event")) return true;
  for (const std::string& wanted : filters.values("event"))
    if (action == wanted || action.starts_with(wanted + ":")) return true;
  return false;
}

bool matches_image(const Filters& filters, const spec::docker::EventMessage& event) {
  if (!filters.has("image")) return true;
  const auto name = event.actor.attributes.find(event.type == "image" ? "name" : "image");
  const std::string image = name == event.actor.attributes.end() ? std::string() : name->second;
  for (const std::string& wanted : filters.values("image")) {
    if (image == wanted || image.substr(0, image.rfind(':')) == wanted) return true;
    if (event.type == "image" && event.actor.id.starts_with(wanted)) return true;
  }
  return false;
}

}  // namespace

void Events::publish(std::string type, std::string action, std::string id,
                     std::map<std::string, std::string> attributes) {
  spec::docker::EventMessage event;
  const Time time = now();
  if (type == "container" || type == "image") {
    event.status = action;
    event.id = id;
    if (const auto image = attributes.find("image"); image != attributes.end() && type == "container")
      event.from = image->second;
  }
  event.type = std::move(type);
  event.action = std::move(action);
  event.actor.id = std::move(id);
  event.actor.attributes = std::move(attributes);
  event.time_nano = time.time_since_epoch().count();
  event.time = event.time_nano / 1'000'000'000;
  const MutexLock lock(mutex_);
  history_.push_back(std::move(event));
  if (history_.size() > kHistory) {
    history_.pop_front();
    ++first_;
  }
  changed_.notify_all();
}

bool Events::matches(const spec::docker::EventMessage& event, const Options& options) {
  if (options.until && time_of(event) > *options.until) return false;
  const Filters& filters = options.filters;
  return filters.exact("type", event.type) && filters.exact("scope", event.scope) &&
         matches_action(filters, event.action) && matches_actor(filters, "container", event) &&
         matches_actor(filters, "network", event) && matches_actor(filters, "volume", event) &&
         matches_actor(filters, "daemon", event) && matches_image(filters, event) &&
         filters.labels(event.actor.attributes);
}

Result<void> Events::read(const Options& options, const Sink& sink, std::stop_token stop) {
  std::unique_lock lock(mutex_);
  std::uint64_t next = first_;
  if (options.since) {
    while (next < first_ + history_.size() && time_of(history_[next - first_]) < *options.since) ++next;
  } else {
    next = first_ + history_.size();
  }
  ++listeners_;
  Result<void> outcome;
  for (;;) {
    next = std::max(next, first_);
    if (next < first_ + history_.size()) {
      const spec::docker::EventMessage event = history_[next - first_];
      ++next;
      if (!matches(event, options)) continue;
      lock.unlock();
      outcome = sink(event);
      lock.lock();
      if (!outcome.ok()) break;
      continue;
    }
    const auto more = [&] { return next < first_ + history_.size(); };
    if (stop.stop_requested() || (options.until && now() >= *options.until)) break;
    if (options.until)
      changed_.wait_until(lock, stop, *options.until, more);
    else
      changed_.wait(lock, stop, more);
  }
  --listeners_;
  return outcome;
}

int Events::listeners() {
  const MutexLock lock(mutex_);
  return listeners_;
}

}  // namespace skiff::engine
