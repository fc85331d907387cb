#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/command.h"
#include "cli/table.h"
#include "client/query.h"

/// What the commands over images, networks and volumes have in common.
namespace skiff::cli {

constexpr std::string_view kFormatUsage =
    "Format output using a custom template:\n"
    "'json':             Print in JSON format\n"
    "'TEMPLATE':         Print output using the given Go template.\n"
    "Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with "
    "templates";
constexpr std::string_view kTableFormatUsage =
    "Format output using a custom template:\n"
    "'table':            Print output in table format with column headers (default)\n"
    "'table TEMPLATE':   Print output in table format using the given Go template\n"
    "'json':             Print in JSON format\n"
    "'TEMPLATE':         Print output using the given Go template.\n"
    "Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with "
    "templates";

/// --filter, of which there may be several.
void add_filter_flag(FlagSet& flags, client::Filters& target, char shorthand, std::string_view usage);

/// --platform as the engine takes it, JSON; "" when it was not given. InvalidArgument in Docker's words.
Result<std::string> platform_parameter(const std::string& text);
/// The first 12 characters of an id, without its algorithm.
std::string short_id(std::string_view id);
/// Whether `a` comes before `b` when numbers in them count as numbers.
bool natural_less(std::string_view a, std::string_view b);
/// Go's Time.String(): "2026-11-24 00:08:48.25 +0000 UTC".
std::string go_time(Time time, bool local);
Time from_unix(std::int64_t seconds);
/// "3 hours ago"
std::string time_ago(Time time);

/// The list's format: what the flag says, else the configuration's member, else "table"; -q asks for `quiet`
/// in place of a table.
std::string choose_format(Cli& cli, const std::string& flag, std::string_view config_name, bool quiet,
                          std::string_view quiet_format);
/// format_list() to standard output.
Result<int> print_list(Cli& cli, const ListFormat& format, const std::vector<Row>& rows);

/// "inspect": every object as an element of a list, or through the template; what is missing is said at the
/// end and makes the exit code 1.
using InspectOne = std::function<Result<json::Value>(client::Client& engine, const std::string& name)>;
Result<int> inspect_objects(Cli& cli, const Arguments& names, const std::string& format,
                            const InspectOne& inspect);

/// What a prune did: the text of the list and the bytes that are free again.
struct PruneText {
  std::string text;
  std::uint64_t reclaimed = 0;
};
PruneText list_deleted(std::string_view title, const std::vector<std::string>& names,
                       std::uint64_t reclaimed);
PruneText list_deleted_images(const spec::docker::ImagePruneReport& report);

}  // namespace skiff::cli
