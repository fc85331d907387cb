#include <algorithm>

#include "base/strings.h"
#include "cli/auth/credentials.h"
#include "cli/commands/image_progress.h"
#include "cli/commands/resource_entries.h"
#include "cli/commands/resource_support.h"
#include "spec/check_report.h"

namespace skiff::cli {

namespace {

std::string size_text(std::uint64_t bytes) { return human_size(static_cast<double>(bytes)); }

std::string count_text(std::int64_t count, std::string_view one) {
  return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
}

void show(Output& out, const spec::Damage& damage) {
  out.print("Damaged {} {}: {}\n", damage.kind, damage.id, damage.problem);
  if (!damage.images.empty()) out.print("  images: {}\n", join(damage.images, ", "));
  if (!damage.containers.empty()) out.print("  containers: {}\n", join(damage.containers, ", "));
  if (!damage.repair.empty())
    out.print("  {}: {}\n", damage.repaired ? "repaired" : "not repaired", damage.repair);
}

void show(Output& out, const spec::CheckReport& report, bool repair) {
  out.print("Checked {}, {}, {} and {}: {}\n", count_text(report.images, "image"),
            count_text(report.blobs, "blob"), count_text(report.layers, "layer"),
            count_text(report.containers, "container"), size_text(report.bytes));
  for (const auto& damage : report.damages) show(out, damage);
  for (const auto& leftover : report.leftovers)
    out.print("Unreferenced {} {} ({}){}\n", leftover.kind, leftover.name, size_text(leftover.bytes),
              leftover.removed ? ": removed" : "");
  if (report.damages.empty()) return out.write("Nothing is damaged\n");
  const auto repaired = std::count_if(report.damages.begin(), report.damages.end(),
                                      [](const auto& damage) { return damage.repaired; });
  out.print("{} damaged, {} repaired{}\n", report.damages.size(), repaired,
            repair ? "" : "; `skiff system fsck --repair` fetches again what a registry has");
}

class SystemFsck : public Command {
 public:
  SystemFsck() {
    flags.string(format_, "format", 0,
                 "Format output: 'json' prints the report in JSON format, and no progress");
    flags.boolean(
        repair_, "repair", 0,
        "Fetch what is damaged again from the registry it came from, and remove what nothing refers to");
  }

  Result<int> run(Cli& cli, const Arguments&) override {
    if (!format_.empty() && format_ != "json")
      return fail(Kind::InvalidArgument, "unknown format {}: only \"json\" is offered", quote(format_));
    const std::string auths = repair_ ? TRY(encode_all_auths(cli.globals.config_directory)) : "";
    auto stream = TRY(TRY(cli.engine())->fsck(repair_, auths));
    const auto write = [&](std::string_view text) {
      if (!format_.empty()) return;
      cli.out.write(text);
      cli.out.flush();
    };
    std::optional<json::Value> answer;
    ProgressLines lines(write, cli.out.is_terminal());
    const auto end = TRY(read_progress(stream, lines, write, [&](const json::Value& aux) { answer = aux; }));
    if (!end.error.empty()) return Error(Kind::Internal, end.error);
    if (!answer) return Error(Kind::Unavailable, "the engine ended before the check did");
    if (!format_.empty()) cli.out.print("{}\n", json::to_text(*answer));
    const auto report = TRY(json::from_value<spec::CheckReport>(*std::move(answer)));
    if (format_.empty()) show(cli.out, report, repair_);
    return report.clean() ? 0 : 1;
  }

 private:
  std::string format_;
  bool repair_ = false;
};

}  // namespace

namespace make {
std::unique_ptr<Command> system_fsck() { return std::make_unique<SystemFsck>(); }
}  // namespace make

}  // namespace skiff::cli
