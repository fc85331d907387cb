#include <algorithm>

#include "base/strings.h"
#include "cli/command.h"
#include "cli/commands/commands.h"
#include "cli/commands/resource_entries.h"

/// The whole surface of the command line on one screen.
namespace skiff::cli {

namespace {

constexpr std::string_view kOneOrMore = "[OPTIONS] CONTAINER [CONTAINER...]";
constexpr std::string_view kPlainOneOrMore = "CONTAINER [CONTAINER...]";

constexpr std::string_view kAttach =
    "Attach local standard input, output, and error streams to a running container";
constexpr std::string_view kCp = "Copy files/folders between a container and the local filesystem";
constexpr std::string_view kCpText =
    "Copy files/folders between a container and the local filesystem\n\n"
    "Use '-' as the source to read a tar archive from stdin\n"
    "and extract it to a directory destination in a container.\n"
    "Use '-' as the destination to stream a tar archive of a\n"
    "container source to stdout.";

// clang-format off
const Entry kEntries[] = {
    {"container attach", "[OPTIONS] CONTAINER", kAttach, "container attach|attach", exactly(1), make_attach, "", ""},
    {"container commit", "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]", "Create a new image from a container's changes", "container commit|commit", {Arity::Kind::Between, 1, 2}, make_commit, "", ""},
    {"container cp", "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-", kCp, "container cp|cp", exactly(2), make_cp, kCpText, "cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH"},
    {"container create", "[OPTIONS] IMAGE [COMMAND] [ARG...]", "Create a new container", "container create|create", at_least(1), make_create, "", ""},
    {"container diff", "CONTAINER", "Inspect changes to files or directories on a container's filesystem", "container diff|diff", exactly(1), make_diff, "", ""},
    {"container exec", "[OPTIONS] CONTAINER COMMAND [ARG...]", "Execute a command in a running container", "container exec|exec", at_least(2), make_exec, "", ""},
    {"container export", "[OPTIONS] CONTAINER", "Export a container's filesystem as a tar archive", "container export|export", exactly(1), make_export, "", ""},
    {"container inspect", kOneOrMore, "Display detailed information on one or more containers", "", at_least(1), make_container_inspect, "", ""},
    {"container kill", kOneOrMore, "Kill one or more running containers", "container kill|kill", at_least(1), make_kill, "", ""},
    {"container logs", "[OPTIONS] CONTAINER", "Fetch the logs of a container", "container logs|logs", exactly(1), make_logs, "", ""},
    {"container ls", "[OPTIONS]", "List containers", "container ls|container list|container ps|ps", no_arguments(), make_ps, "", ""},
    {"container pause", kPlainOneOrMore, "Pause all processes within one or more containers", "container pause|pause", at_least(1), make_pause, "", ""},
    {"container port", "CONTAINER [PRIVATE_PORT[/PROTO]]", "List port mappings or a specific mapping for the container", "container port|port", {Arity::Kind::Between, 1, 2}, make_port, "", ""},
    {"container prune", "[OPTIONS]", "Remove all stopped containers", "", no_arguments(), make_container_prune, "", ""},
    {"container rename", "CONTAINER NEW_NAME", "Rename a container", "container rename|rename", exactly(2), make_rename, "", ""},
    {"container restart", kOneOrMore, "Restart one or more containers", "container restart|restart", at_least(1), make_restart, "", ""},
    {"container rm", kOneOrMore, "Remove one or more containers", "container rm|container remove|rm", at_least(1), make_rm, "", ""},
    {"container run", "[OPTIONS] IMAGE [COMMAND] [ARG...]", "Create and run a new container from an image", "container run|run", at_least(1), make_run, "", ""},
    {"container start", kOneOrMore, "Start one or more stopped containers", "container start|start", at_least(1), make_start, "", ""},
    {"container stats", "[OPTIONS] [CONTAINER...]", "Display a live stream of container(s) resource usage statistics", "container stats|stats", any_arguments(), make_stats, "", ""},
    {"container stop", kOneOrMore, "Stop one or more running containers", "container stop|stop", at_least(1), make_stop, "", ""},
    {"container top", "CONTAINER [ps OPTIONS]", "Display the running processes of a container", "container top|top", at_least(1), make_top, "", ""},
    {"container unpause", kPlainOneOrMore, "Unpause all processes within one or more containers", "container unpause|unpause", at_least(1), make_unpause, "", ""},
    {"container update", kOneOrMore, "Update configuration of one or more containers", "container update|update", at_least(1), make_update, "", ""},
    {"container wait", kPlainOneOrMore, "Block until one or more containers stop, then print their exit codes", "container wait|wait", at_least(1), make_wait, "", ""},





    {"inspect", "[OPTIONS] NAME|ID [NAME|ID...]", "Return low-level information on Docker objects", "", at_least(1), make_inspect, "", ""},
};
// clang-format on

/// The short spellings ("run" for "container run") are rows of their own, so that messages say what was
/// typed.
std::vector<Entry> with_short_forms() {
  std::vector<Entry> all(std::begin(kEntries), std::end(kEntries));
  for (const Entry& entry : kEntries) {
    const auto last = entry.twins.rfind('|');
    if (last == std::string_view::npos) continue;
    const std::string_view part = entry.twins.substr(last + 1);
    if (part.find(' ') != std::string_view::npos) continue;
    Entry shorter = entry;
    shorter.path = part;
    all.push_back(shorter);
  }
  for (const Entry& entry : resource_entries()) all.push_back(entry);
  return all;
}

}  // namespace

const std::vector<Entry>& entries() {
  static const std::vector<Entry> kAll = with_short_forms();
  return kAll;
}

const std::vector<Group>& groups() {
  static const std::vector<Group> kGroups = {
      {"builder", "Manage builds"},   {"container", "Manage containers"},
      {"image", "Manage images"},     {"manifest", "Manage Docker image manifests and manifest lists"},
      {"network", "Manage networks"}, {"registry", "Run a registry"},
      {"system", "Manage Docker"},    {"volume", "Manage volumes"}};
  return kGroups;
}

const std::vector<std::string_view>& common_commands() {
  static const std::vector<std::string_view> kCommon = {
      "run", "exec", "ps", "build", "pull", "push", "images", "login", "logout", "version", "info"};
  return kCommon;
}

const Group* find_group(std::string_view name) {
  for (const Group& group : groups())
    if (group.name == name) return &group;
  return nullptr;
}

std::pair<const Entry*, std::size_t> find_entry(const Arguments& words) {
  const auto by_path = [](const std::string& path) -> const Entry* {
    for (const Entry& entry : entries())
      if (entry.path == path) return &entry;
    return nullptr;
  };
  if (words.empty()) return {nullptr, 0};
  if (words.size() > 1) {
    const std::string path = words[0] + " " + words[1];
    if (const Entry* entry = by_path(path)) return {entry, 2};
    if (find_group(words[0]))
      for (const Entry& entry : entries())
        for (const auto& twin : split(entry.twins, '|'))
          if (twin == path && entry.path.find(' ') != std::string_view::npos) return {&entry, 2};
  }
  if (const Entry* entry = by_path(words[0])) return {entry, 1};
  return {nullptr, 0};
}

}  // namespace skiff::cli
