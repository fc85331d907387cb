#include <algorithm>

#include "base/strings.h"
#include "cli/commands/resource_entries.h"
#include "cli/commands/resource_support.h"

namespace skiff::cli {

namespace {

class Events : public Command {
 public:
  Events() {
    add_filter_flag(flags, filters_, 'f', "Filter output based on conditions provided");
    flags.string(format_, "format", 0, kFormatUsage);
    flags.string(since_, "since", 0, "Show all events created since timestamp");
    flags.string(until_, "until", 0, "Stream events until this timestamp");
  }

  Result<int> run(Cli& cli, const Arguments&) override {
    std::optional<Template> parsed;
    if (!format_.empty() && format_ != "json") {
      auto result = Template::parse(unescape_format(format_));
      if (!result.ok()) return complain(cli, result.error());
      parsed = std::move(*result);
    }
    auto stream = TRY(TRY(cli.engine())->events(TRY(timestamp(since_)), TRY(timestamp(until_)), filters_));
    while (auto event = TRY(stream.next_json())) {
      std::string line;
      if (parsed) {
        TemplateOptions options;
        options.root_type = "*events.Message";
        if (auto done = parsed->execute(*event, options, line); !done.ok())
          return complain(cli, done.error());
      } else if (format_ == "json") {
        line = json::to_text(*event);
      } else {
        line = describe_event(TRY(json::from_value<spec::docker::EventMessage>(*std::move(event))));
      }
      cli.out.write(line + "\n");
      cli.out.flush();
    }
    return 0;
  }

 private:
  /// The engine takes seconds; "10m" and dates are reckoned here, by our own clock.
  static Result<std::string> timestamp(const std::string& text) {
    if (text.empty() || parse_double(text)) return text;
    const auto time = parse_timestamp(text, now());
    if (!time)
      return fail(Kind::InvalidArgument, "failed to parse value as time or duration: {}", quote(text));
    const auto seconds = std::chrono::floor<std::chrono::seconds>(*time);
    return fmt::format("{}.{:09}", seconds.time_since_epoch().count(), (*time - seconds).count());
  }

  static int complain(Cli& cli, const Error& error) {
    cli.err.print("Error parsing format: {}\n", error.message());
    return 64;
  }

  static std::string describe_event(const spec::docker::EventMessage& event) {
    const Time time =
        event.time_nano != 0 ? Time(std::chrono::nanoseconds(event.time_nano)) : from_unix(event.time);
    std::string line =
        fmt::format("{} {} {} {}", format_rfc3339_fixed(time), event.type, event.action, event.actor.id);
    std::vector<std::string> attributes;
    for (const auto& [name, value] : event.actor.attributes) attributes.push_back(name + "=" + value);
    if (!attributes.empty()) line += fmt::format(" ({})", join(attributes, ", "));
    return line;
  }

  client::Filters filters_;
  std::string format_, since_, until_;
};

class SystemPrune : public Command {
 public:
  SystemPrune() {
    flags.boolean(all_, "all", 'a', "Remove all unused images not just dangling ones");
    add_filter_flag(flags, filters_, 0, "Provide filter values (e.g. \"label=<key>=<value>\")");
    flags.boolean(force_, "force", 'f', "Do not prompt for confirmation");
    flags.boolean(volumes_, "volumes", 0, "Prune anonymous volumes");
  }

  Result<int> run(Cli& cli, const Arguments&) override {
    if (volumes_ && filters_.count("until") > 0)
      return Error(Kind::InvalidArgument, "ERROR: The \"until\" filter is not supported with \"--volumes\"");
    if (!force_ && !confirm(cli, question())) return 0;
    client::Client& engine = *TRY(cli.engine());
    std::uint64_t reclaimed = 0;
    const auto show = [&](const PruneText& pruned) {
      if (!pruned.text.empty()) cli.out.write(pruned.text + "\n");
      cli.out.flush();
      reclaimed += pruned.reclaimed;
    };
    const auto containers = TRY(engine.prune_containers(filters_));
    show(list_deleted("Deleted Containers", containers.containers_deleted, containers.space_reclaimed));
    show(list_deleted("Deleted Networks", TRY(engine.prune_networks(filters_)).networks_deleted, 0));
    if (volumes_) {
      const auto volumes = TRY(engine.prune_volumes(filters_));
      show(list_deleted("Deleted Volumes", volumes.volumes_deleted, volumes.space_reclaimed));
    }
    auto image_filters = filters_;
    image_filters["dangling"].emplace_back(all_ ? "false" : "true");
    show(list_deleted_images(TRY(engine.prune_images(image_filters))));
    const auto cache = TRY(engine.prune_build_cache(filters_, all_));
    show(list_deleted("Deleted build cache objects", cache.caches_deleted, cache.space_reclaimed));
    cli.out.print("Total reclaimed space: {}\n", human_size(static_cast<double>(reclaimed)));
    return 0;
  }

 private:
  std::string question() const {
    std::string text =
        "WARNING! This will remove:\n"
        "  - all stopped containers\n"
        "  - all networks not used by at least one container\n";
    if (volumes_) text += "  - all anonymous volumes not used by at least one container\n";
    text += all_ ? "  - all images without at least one container associated to them\n  - all build cache\n"
                 : "  - all dangling images\n  - unused build cache\n";
    std::vector<std::string> filters;
    for (const auto& [name, values] : filters_)
      for (const auto& value : values) filters.push_back(fmt::format("  - {}={}\n", name, value));
    if (!filters.empty()) {
      std::sort(filters.begin(), filters.end());
      text += "\n  Items to be pruned will be filtered with:\n" + join(filters, "");
    }
    return text + "\nAre you sure you want to continue? [y/N] ";
  }

  client::Filters filters_;
  bool all_ = false, force_ = false, volumes_ = false;
};

class BuilderPrune : public Command {
 public:
  BuilderPrune() {
    flags.boolean(all_, "all", 'a', "Remove all unused build cache, not just dangling ones");
    add_filter_flag(flags, filters_, 0, "Provide filter values (e.g. \"until=24h\")");
    flags.boolean(force_, "force", 'f', "Do not prompt for confirmation");
  }

  Result<int> run(Cli& cli, const Arguments&) override {
    const std::string question =
        fmt::format("WARNING! This will remove all {}build cache. Are you sure you want to continue? [y/N] ",
                    all_ ? "" : "dangling ");
    if (!force_ && !confirm(cli, question)) return 0;
    const auto report = TRY(TRY(cli.engine())->prune_build_cache(filters_, all_));
    const auto pruned =
        list_deleted("Deleted build cache objects", report.caches_deleted, report.space_reclaimed);
    if (!pruned.text.empty()) cli.out.write(pruned.text + "\n");
    cli.out.print("Total reclaimed space: {}\n", human_size(static_cast<double>(pruned.reclaimed)));
    return 0;
  }

 private:
  client::Filters filters_;
  bool all_ = false, force_ = false;
};

}  // namespace

namespace make {
std::unique_ptr<Command> builder_prune() { return std::make_unique<BuilderPrune>(); }
std::unique_ptr<Command> events() { return std::make_unique<Events>(); }
std::unique_ptr<Command> system_prune() { return std::make_unique<SystemPrune>(); }
}  // namespace make

}  // namespace skiff::cli
