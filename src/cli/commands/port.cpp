#include <algorithm>

#include "base/strings.h"
#include "cli/cli.h"
#include "cli/commands/commands.h"
#include "cli/flags.h"
#include "cli/ports_text.h"

namespace skiff::cli {

namespace {

class PortCommand : public Command {
 public:
  Result<int> run(Cli& cli, const Arguments& arguments) override {
    auto* engine = TRY(cli.engine());
    auto value = TRY(engine->inspect_container(arguments[0]));
    const auto container = TRY(json::from_value<spec::docker::ContainerInspect>(std::move(value)));
    const auto& ports = container.network_settings.ports;
    if (arguments.size() < 2) {
      print_all(cli, ports);
      return 0;
    }
    const auto [port, protocol] = cut(arguments[1], '/');
    if (auto number = parse_go_uint(port, 16); !number.ok())
      return fail(Kind::InvalidArgument, "Error: invalid port ({}): {}", port, number.error().message());
    const auto found = ports.find(fmt::format("{}/{}", port, protocol.value_or("tcp")));
    if (found == ports.end() || found->second.empty())
      return fail(Kind::NotFound, "Error: No public port '{}' published for {}", arguments[1], arguments[0]);
    for (const auto& binding : found->second)
      cli.out.print("{}\n", host_and_port(binding.host_ip, binding.host_port));
    return 0;
  }

 private:
  static void print_all(Cli& cli, const spec::docker::PortMap& ports) {
    std::vector<std::string> lines;
    for (const auto& [port, bindings] : ports)
      for (const auto& binding : bindings)
        lines.push_back(fmt::format("{} -> {}", port, host_and_port(binding.host_ip, binding.host_port)));
    std::stable_sort(lines.begin(), lines.end(), [](const std::string& a, const std::string& b) {
      return parse_int(a.substr(0, a.find('/'))).value_or(0) <
             parse_int(b.substr(0, b.find('/'))).value_or(0);
    });
    for (const auto& line : lines) cli.out.print("{}\n", line);
  }
};

}  // namespace

std::unique_ptr<Command> make_port() { return make_command<PortCommand>(); }

}  // namespace skiff::cli
