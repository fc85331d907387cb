#include "spec/docker/stats.h"

#include <algorithm>
#include <future>
#include <thread>

#include "base/strings.h"
#include "cli/commands/commands.h"
#include "cli/commands/resource_support.h"

namespace skiff::cli {

namespace {

using spec::docker::StatsResponse;

constexpr auto kInterval = std::chrono::milliseconds(1000);

const Columns kColumns = {{"Container", "CONTAINER"},
                          {"ID", "CONTAINER ID"},
                          {"Name", "NAME"},
                          {"CPUPerc", "CPU %"},
                          {"MemUsage", "MEM USAGE / LIMIT"},
                          {"MemPerc", "MEM %"},
                          {"NetIO", "NET I/O"},
                          {"BlockIO", "BLOCK I/O"},
                          {"PIDs", "PIDS"}};

double cpu_percent(const StatsResponse& stats) {
  const double used = static_cast<double>(stats.cpu_stats.cpu_usage.total_usage) -
                      static_cast<double>(stats.precpu_stats.cpu_usage.total_usage);
  const double system = static_cast<double>(stats.cpu_stats.system_cpu_usage) -
                        static_cast<double>(stats.precpu_stats.system_cpu_usage);
  double cpus = stats.cpu_stats.online_cpus;
  if (cpus == 0) cpus = static_cast<double>(stats.cpu_stats.cpu_usage.percpu_usage.size());
  return used > 0 && system > 0 ? used / system * cpus * 100 : 0;
}

/// Memory without the page cache that could be given back at once.
double memory_used(const StatsResponse& stats) {
  const auto& memory = stats.memory_stats;
  for (const char* name : {"total_inactive_file", "inactive_file"})  // cgroup v1, v2
    if (const auto found = memory.stats.find(name);
        found != memory.stats.end() && found->second < memory.usage)
      return static_cast<double>(memory.usage - found->second);
  return static_cast<double>(memory.usage);
}

std::string pair_text(double a, double b) {
  return fmt::format("{} / {}", human_size(a, 3), human_size(b, 3));
}

Row stats_row(const std::string& given, const StatsResponse& stats, bool truncate) {
  double received = 0, sent = 0, read = 0, written = 0;
  for (const auto& [name, network] : stats.networks) {
    received += static_cast<double>(network.rx_bytes);
    sent += static_cast<double>(network.tx_bytes);
  }
  for (const auto& entry : stats.blkio_stats.io_service_bytes_recursive) {
    if (entry.op.empty()) continue;
    if (entry.op[0] == 'r' || entry.op[0] == 'R') read += static_cast<double>(entry.value);
    if (entry.op[0] == 'w' || entry.op[0] == 'W') written += static_cast<double>(entry.value);
  }
  const double used = memory_used(stats);
  const auto limit = static_cast<double>(stats.memory_stats.limit);
  Row row;
  row.fields = {{"Container", given},
                {"ID", truncate ? stats.id.substr(0, 12) : stats.id},
                {"Name", stats.name.starts_with('/') ? stats.name.substr(1) : stats.name},
                {"CPUPerc", fmt::format("{:.2f}%", cpu_percent(stats))},
                {"MemUsage", fmt::format("{} / {}", bytes_size(used), bytes_size(limit))},
                {"MemPerc", fmt::format("{:.2f}%", limit > 0 ? used / limit * 100 : 0)},
                {"NetIO", pair_text(received, sent)},
                {"BlockIO", pair_text(read, written)},
                {"PIDs", std::to_string(stats.pids_stats.current)}};
  return row;
}

class StatsCommand : public Command {
 public:
  StatsCommand() {
    flags.boolean(all_, "all", 'a', "Show all containers (default shows just running)");
    flags.string(format_, "format", 0, kTableFormatUsage);
    flags.boolean(no_stream_, "no-stream", 0, "Disable streaming stats and only pull the first result");
    flags.boolean(no_trunc_, "no-trunc", 0, "Do not truncate output");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    ListFormat format{
        choose_format(cli, format_, "statsFormat", false, ""),
        "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}",
        "*container.statsContext", kColumns};
    while (true) {
      const auto start = std::chrono::steady_clock::now();
      const Arguments names = TRY(containers(cli, arguments));
      const auto rows = TRY(measure(cli, names, !arguments.empty()));
      const std::string text = TRY(format_list(format, rows));
      if (no_stream_) {
        cli.out.write(text);
        return 0;
      }
      if (cli.out.is_terminal()) cli.out.write("\x1b[H\x1b[J");
      cli.out.write(text);
      cli.out.flush();
      std::this_thread::sleep_until(start + kInterval);
    }
  }

 private:
  Result<Arguments> containers(Cli& cli, const Arguments& given) const {
    if (!given.empty()) return given;
    Arguments ids;
    for (const auto& container : TRY(TRY(cli.engine())->containers(all_, -1, false, {})))
      ids.push_back(container.id.substr(0, 12));
    return ids;
  }

  /// One measurement of each, at the same time: an engine takes a second for the difference between two.
  Result<std::vector<Row>> measure(Cli& cli, const Arguments& names, bool strict) const {
    auto* engine = TRY(cli.engine());
    std::vector<std::future<Result<StatsResponse>>> answers;
    for (const auto& name : names)
      answers.push_back(std::async(std::launch::async, [engine, name]() -> Result<StatsResponse> {
        client::Client own(engine->address(), engine->version(), false);
        auto stream = TRY(own.stats(name, false));
        auto value = TRY(stream.next_json());
        if (!value) return Error(Kind::Unavailable, "unexpected EOF");
        return json::from_value<StatsResponse>(*std::move(value));
      }));
    std::vector<Row> rows;
    std::optional<Error> failure;
    for (std::size_t i = 0; i < names.size(); ++i) {
      auto stats = answers[i].get();
      if (stats.ok())
        rows.push_back(stats_row(names[i], *stats, !no_trunc_));
      else if (strict && !failure)
        failure = stats.error();
    }
    if (failure) return *failure;
    return rows;
  }

  bool all_ = false, no_stream_ = false, no_trunc_ = false;
  std::string format_;
};

}  // namespace

std::unique_ptr<Command> make_stats() { return make_command<StatsCommand>(); }

}  // namespace skiff::cli
