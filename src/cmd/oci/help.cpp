#include "cmd/oci/help.h"

#include <algorithm>

namespace skiff::oci {
namespace {

std::string synopsis(const Flag& flag) {
  const std::string_view value = flag.type == Flag::Type::Switch ? "" : " value";
  auto text = fmt::format("--{}{}", flag.name, value);
  if (flag.letter != 0) text += fmt::format(", -{}{}", flag.letter, value);
  return text;
}

std::string table(std::span<const Flag> flags) {
  std::size_t width = 0;
  for (const auto& flag : flags)
    if (!flag.help.empty()) width = std::max(width, synopsis(flag).size());
  std::string text;
  for (const auto& flag : flags)
    if (!flag.help.empty()) text += fmt::format("   {:<{}}  {}\n", synopsis(flag), width, flag.help);
  return text;
}

}  // namespace

std::string help(std::span<const Command> commands, std::span<const Flag> global) {
  std::string text =
      "NAME:\n   skiff-runtime - Open Container Initiative runtime\n\nUSAGE:\n"
      "   skiff-runtime [global options] command [command options] [arguments...]\n\nCOMMANDS:\n";
  for (const auto& command : commands) text += fmt::format("   {:<10}  {}\n", command.name, command.help);
  text += fmt::format("   {:<10}  {}\n", "help, h", "show the commands, or help for one of them");
  return text + "\nGLOBAL OPTIONS:\n" + table(global);
}

std::string help(const Command& command) {
  const auto flags = table(command.flags);
  auto text = fmt::format("NAME:\n   skiff-runtime {} - {}\n\nUSAGE:\n   skiff-runtime {}{}{}\n",
                          command.name, command.help, command.name, flags.empty() ? "" : " [command options]",
                          command.arguments.empty() ? "" : fmt::format(" {}", command.arguments));
  if (!flags.empty()) text += "\nOPTIONS:\n" + flags;
  return text;
}

}  // namespace skiff::oci
