#include "cli/commands/commands.h"
#include "cli/each.h"
#include "cli/specs/values.h"

namespace skiff::cli {

namespace {

class UpdateCommand : public Command {
 public:
  UpdateCommand() {
    auto& r = request_.resources;
    flags
        .custom("uint16", "blkio-weight", 0,
                "Block IO (relative weight), between 10 and 1000, or 0 to disable",
                [&r](std::string_view text) -> Result<void> {
                  r.blkio_weight = static_cast<std::uint16_t>(TRY(parse_go_uint(text, 16)));
                  return {};
                })
        .show_default("0");
    flags.integer(r.cpu_period, "cpu-period", 0, "Limit CPU CFS (Completely Fair Scheduler) period");
    flags.integer(r.cpu_quota, "cpu-quota", 0, "Limit CPU CFS (Completely Fair Scheduler) quota");
    flags.integer(r.cpu_realtime_period, "cpu-rt-period", 0,
                  "Limit the CPU real-time period in microseconds");
    flags.integer(r.cpu_realtime_runtime, "cpu-rt-runtime", 0,
                  "Limit the CPU real-time runtime in microseconds");
    flags.integer(r.cpu_shares, "cpu-shares", 'c', "CPU shares (relative weight)");
    flags.custom("decimal", "cpus", 0, "Number of CPUs", [&r](std::string_view text) -> Result<void> {
      r.nano_cpus = TRY(parse_cpus(text));
      return {};
    });
    flags.string(r.cpuset_cpus, "cpuset-cpus", 0, "CPUs in which to allow execution (0-3, 0,1)");
    flags.string(r.cpuset_mems, "cpuset-mems", 0, "MEMs in which to allow execution (0-3, 0,1)");
    flags.bytes(r.memory, "memory", 'm', "Memory limit");
    flags.bytes(r.memory_reservation, "memory-reservation", 0, "Memory soft limit");
    flags.bytes(r.memory_swap, "memory-swap", 0,
                "Swap limit equal to memory plus swap: -1 to enable unlimited swap", true);
    flags.integer(pids_limit_, "pids-limit", 0, "Tune container pids limit (set -1 for unlimited)");
    flags.string(restart_, "restart", 0, "Restart policy to apply when a container exits");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    bool any = false;
    for (const auto& flag : flags.all()) any |= flag->changed;
    if (!any)
      return Error(Kind::InvalidArgument, "you must provide one or more flags when using this command");
    if (flags.changed("pids-limit")) request_.resources.pids_limit = pids_limit_;
    if (!restart_.empty()) request_.restart_policy = TRY(parse_restart_policy(restart_));
    return for_each(cli, arguments,
                    [&](client::Client& engine, const std::string& name) -> Result<std::string> {
                      for (const auto& warning : TRY(engine.update_container(name, request_)))
                        cli.err.print("{}\n", warning);
                      return name;
                    });
  }

 private:
  spec::docker::ContainerUpdate request_;
  std::int64_t pids_limit_ = 0;
  std::string restart_;
};

}  // namespace

std::unique_ptr<Command> make_update() { return make_command<UpdateCommand>(); }

}  // namespace skiff::cli
