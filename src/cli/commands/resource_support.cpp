#include "cli/commands/resource_support.h"

#include <algorithm>
#include <ctime>

#include "base/strings.h"
#include "spec/platform.h"

namespace skiff::cli {

void add_filter_flag(FlagSet& flags, client::Filters& target, char shorthand, std::string_view usage) {
  flags.custom("filter", "filter", shorthand, usage, [&target](std::string_view text) -> Result<void> {
    if (text.empty()) return {};
    const auto [name, value] = cut(text, '=');
    if (!value) return Error(Kind::InvalidArgument, "bad format of filter (expected name=value)");
    target[to_lower(trim(name))].emplace_back(trim(*value));
    return {};
  });
}

Result<std::string> platform_parameter(const std::string& text) {
  if (text.empty()) return std::string();
  return json::encode(TRY_CONTEXT(spec::Platform::parse(text), "invalid platform"));
}

std::string short_id(std::string_view id) {
  if (const auto colon = id.find(':'); colon != std::string_view::npos) id.remove_prefix(colon + 1);
  return std::string(id.substr(0, 12));
}

bool natural_less(std::string_view a, std::string_view b) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() && j < b.size()) {
    if (!digit(a[i]) || !digit(b[j])) {
      if (a[i] != b[j]) return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[j]);
      ++i;
      ++j;
      continue;
    }
    const std::size_t from_i = i;
    const std::size_t from_j = j;
    while (i < a.size() && a[i] == '0') ++i;
    while (j < b.size() && b[j] == '0') ++j;
    const std::size_t number_i = i;
    const std::size_t number_j = j;
    while (i < a.size() && digit(a[i])) ++i;
    while (j < b.size() && digit(b[j])) ++j;
    if (i - number_i != j - number_j) return i - number_i < j - number_j;
    const int order = a.substr(number_i, i - number_i).compare(b.substr(number_j, j - number_j));
    if (order != 0) return order < 0;
    if (number_i - from_i != number_j - from_j) return number_i - from_i < number_j - from_j;
  }
  return a.size() - i < b.size() - j;
}

std::string go_time(Time time, bool local) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto nanoseconds = (time - seconds).count();
  const std::time_t unix_time = seconds.time_since_epoch().count();
  std::tm parts{};
  if (local)
    ::localtime_r(&unix_time, &parts);
  else
    ::gmtime_r(&unix_time, &parts);
  char text[64];
  std::string out(text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts));
  if (nanoseconds != 0) {
    std::string fraction = fmt::format(".{:09}", nanoseconds);
    while (fraction.back() == '0') fraction.pop_back();
    out += fraction;
  }
  if (!local) return out + " +0000 UTC";
  return out.append(text, std::strftime(text, sizeof text, " %z %Z", &parts));
}

Time from_unix(std::int64_t seconds) { return Time(std::chrono::seconds(seconds)); }

std::string time_ago(Time time) { return human_duration(now() - time) + " ago"; }

std::string choose_format(Cli& cli, const std::string& flag, std::string_view config_name, bool quiet,
                          std::string_view quiet_format) {
  std::string format = flag;
  if (format.empty() && !quiet && !config_name.empty()) format = cli.config_value(config_name);
  if (format.empty()) format = "table";
  if (quiet && format.starts_with("table")) return std::string(quiet_format);
  return format;
}

Result<int> print_list(Cli& cli, const ListFormat& format, const std::vector<Row>& rows) {
  cli.out.write(TRY(format_list(format, rows)));
  return 0;
}

Result<int> inspect_objects(Cli& cli, const Arguments& names, const std::string& format,
                            const InspectOne& inspect) {
  client::Client& engine = *TRY(cli.engine());
  const bool list = format.empty() || format == "json";
  std::optional<Template> parsed;
  if (!list) {
    auto result = Template::parse(format);
    if (!result.ok()) {
      cli.err.print("template parsing error: {}\n", result.error().message());
      return 64;
    }
    parsed = std::move(*result);
  }
  json::Array found;
  std::string text;
  std::vector<std::string> errors;
  for (const std::string& name : names) {
    auto value = inspect(engine, name);
    if (!value.ok()) {
      errors.push_back(value.error().message());
      continue;
    }
    if (list) {
      found.push_back(*std::move(value));
      continue;
    }
    std::string line;
    auto done = parsed->execute(*value, {}, line);
    if (done.ok())
      text += line + "\n";
    else
      errors.push_back("template parsing error: " + done.error().message());
  }
  if (!list)
    cli.out.write(text.empty() ? "\n" : text);
  else if (format.empty())
    cli.out.write(found.empty() ? "[]\n" : json::to_pretty_text(found) + "\n");
  else
    cli.out.write(json::to_text(found) + "\n");
  if (errors.empty()) return 0;
  cli.err.write(join(errors, "\n") + "\n");
  return 1;
}

PruneText list_deleted(std::string_view title, const std::vector<std::string>& names,
                       std::uint64_t reclaimed) {
  PruneText pruned{{}, reclaimed};
  if (names.empty()) return pruned;
  pruned.text = fmt::format("{}:\n", title);
  for (const auto& name : names) pruned.text += name + "\n";
  return pruned;
}

PruneText list_deleted_images(const spec::docker::ImagePruneReport& report) {
  std::vector<std::string> lines;
  for (const auto& item : report.images_deleted)
    lines.push_back(item.untagged.empty() ? "deleted: " + item.deleted : "untagged: " + item.untagged);
  return list_deleted("Deleted Images", lines, report.space_reclaimed);
}

}  // namespace skiff::cli
