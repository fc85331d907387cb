#include "cli/help.h"

#include <algorithm>

#include "base/strings.h"
#include "cli/cli.h"

namespace skiff::cli {

namespace {

constexpr std::size_t kNameWidth = 12;

std::string command_line(std::string_view name, std::string_view summary) {
  return fmt::format("  {:<{}}{}\n", name, kNameWidth, summary);
}

bool is_common(std::string_view name) {
  const auto& common = common_commands();
  return std::find(common.begin(), common.end(), name) != common.end();
}

}  // namespace

std::string usage_line(std::string_view program, const Entry& entry) {
  std::string line = fmt::format("{} {}", program, entry.path);
  if (!entry.arguments.empty()) line += fmt::format(" {}", entry.arguments);
  return line;
}

std::string root_help(std::string_view program, FlagSet& globals) {
  std::string out = fmt::format(
      "Usage:  {} [OPTIONS] COMMAND\n\nA self-sufficient runtime for containers\n\nCommon Commands:\n",
      program);
  const auto top = [](std::string_view name) {
    return std::find_if(entries().begin(), entries().end(),
                        [&](const Entry& entry) { return entry.path == name; });
  };
  for (const auto name : common_commands())
    if (const auto entry = top(name); entry != entries().end()) out += command_line(name, entry->summary);
  out += "\nManagement Commands:\n";
  for (const Group& group : groups()) out += command_line(group.name, group.summary);
  out += "\nCommands:\n";
  std::vector<const Entry*> rest;
  for (const Entry& entry : entries())
    if (entry.path.find(' ') == std::string_view::npos && !is_common(entry.path)) rest.push_back(&entry);
  std::sort(rest.begin(), rest.end(), [](const Entry* a, const Entry* b) { return a->path < b->path; });
  for (const Entry* entry : rest) out += command_line(entry->path, entry->summary);
  out += "\nGlobal Options:\n" + globals.usages(terminal_columns() - 1);
  return out + fmt::format("\nRun '{} COMMAND --help' for more information on a command.\n", program);
}

std::string group_help(std::string_view program, const Group& group) {
  std::string out =
      fmt::format("Usage:  {} {} COMMAND\n\n{}\n\nCommands:\n", program, group.name, group.summary);
  const std::string prefix = std::string(group.name) + " ";
  std::vector<const Entry*> members;
  for (const Entry& entry : entries())
    if (entry.path.starts_with(prefix) && !entry.hidden) members.push_back(&entry);
  std::sort(members.begin(), members.end(), [](const Entry* a, const Entry* b) { return a->path < b->path; });
  for (const Entry* entry : members) out += command_line(entry->name(), entry->summary);
  return out + fmt::format("\nRun '{} {} COMMAND --help' for more information on a command.\n", program,
                           group.name);
}

std::string command_help(std::string_view program, const Entry& entry, const Command& command) {
  std::string out = fmt::format("Usage:  {}\n", usage_line(program, entry));
  if (!entry.usage.empty()) out += fmt::format("\t{} {}\n", program, entry.usage);
  out += fmt::format("\n{}\n", entry.description.empty() ? entry.summary : entry.description);
  if (!entry.twins.empty()) {
    out += "\nAliases:\n  ";
    bool first = true;
    for (const auto& twin : split(entry.twins, '|')) {
      out += fmt::format("{}{} {}", first ? "" : ", ", program, twin);
      first = false;
    }
    out += "\n";
  }
  if (command.flags.has_visible()) out += "\nOptions:\n" + command.flags.usages(terminal_columns() - 1);
  return out;
}

}  // namespace skiff::cli
