#include <sys/stat.h>

#include <algorithm>

#include "base/strings.h"
#include "cmd/oci/commands.h"
#include "cmd/oci/record.h"
#include "sys/file.h"

namespace skiff::oci {
namespace {

/// What runc prints: the state of the specification with its own additions.
struct Shown {
  std::string oci_version;
  std::string id;
  int pid = 0;
  std::string status;
  std::string bundle;
  std::string rootfs;
  Time created{};
  std::map<std::string, std::string> annotations;
  std::string owner;
};
void describe(json::Fields& f, Shown& shown) {
  f("ociVersion", shown.oci_version);
  f("id", shown.id);
  f("pid", shown.pid);
  f("status", shown.status);
  f("bundle", shown.bundle);
  f("rootfs", shown.rootfs);
  f("created", shown.created);
  f("annotations", shown.annotations, json::Omit::Empty);
  f("owner", shown.owner);
}

Shown shown(const Home& home, const Record& record) {
  const auto status = status_of(home, record);
  return {record.oci_version,
          record.id,
          status == Status::Stopped ? 0 : record.pid,
          std::string(to_string(status)),
          record.bundle,
          record.rootfs,
          record.created,
          record.annotations,
          {}};
}

/// The name of the user who owns the state, or "#1000".
std::string owner_of(const Home& home) {
  struct stat info = {};
  if (::stat(home.path().c_str(), &info) != 0) return {};
  const auto uid = std::to_string(info.st_uid);
  for (const auto& line : split(sys::read_file("/etc/passwd").value_or(""), '\n')) {
    const auto fields = split(line, ':');
    if (fields.size() > 2 && fields[2] == uid) return fields[0];
  }
  return "#" + uid;
}

/// Columns as Go's text/tabwriter makes them for runc: at least twelve wide with three spaces between.
std::string table(const std::vector<std::vector<std::string>>& rows) {
  constexpr std::size_t kLeast = 12;
  constexpr std::size_t kSpace = 3;
  std::vector<std::size_t> widths(rows.front().size(), kLeast);
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size() + kSpace);
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i) text += fmt::format("{:<{}}", row[i], widths[i]);
    text += row.back() + "\n";
  }
  return text;
}

Result<std::vector<Shown>> all_containers(const Global& global) {
  if (!sys::exists(global.root))
    return fail(Kind::NotFound, "open {}: no such file or directory", global.root);
  std::vector<Shown> all;
  for (const auto& id : TRY(sys::list_directory(global.root))) {
    if (id.starts_with('.')) continue;
    const Home home(global.root, id);
    const auto record = home.load();
    if (!record) {
      // Half-made or damaged: the others are shown all the same.
      warn(fmt::format("load container {}: {}", id, record.error().message()));
      continue;
    }
    all.push_back(shown(home, *record));
    all.back().owner = owner_of(home);
  }
  return all;
}

}  // namespace

Result<int> state(const Global& global, const Flags& flags) {
  const Home home(global.root, flags.arguments().front());
  const auto record = TRY(home.load());
  TRY(print(json::to_pretty_text(json::to_value(shown(home, record)), "  ") + "\n"));
  return 0;
}

Result<int> list(const Global& global, const Flags& flags) {
  const auto all = TRY(all_containers(global));
  const auto format = flags.get("format", "table");
  if (flags.has("quiet")) {
    std::string ids;
    for (const auto& one : all) ids += one.id + "\n";
    TRY(print(ids));
  } else if (format == "json") {
    json::Array array;
    for (const auto& one : all) array.push_back(json::to_value(one));
    TRY(print((all.empty() ? "null" : json::to_text(array)) + "\n"));
  } else if (format == "table") {
    std::vector<std::vector<std::string>> rows = {{"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}};
    for (const auto& one : all)
      rows.push_back(
          {one.id, std::to_string(one.pid), one.status, one.bundle, format_rfc3339(one.created), one.owner});
    TRY(print(table(rows)));
  } else {
    return Error(Kind::InvalidArgument, "invalid format option");
  }
  return 0;
}

}  // namespace skiff::oci
