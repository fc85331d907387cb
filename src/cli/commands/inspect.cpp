#include <algorithm>

#include "base/strings.h"
#include "cli/commands/commands.h"
#include "cli/commands/resource_support.h"
#include "cli/each.h"

namespace skiff::cli {

namespace {

constexpr std::string_view kTypes[] = {"container", "image", "network", "volume"};

Result<json::Value> fetch(client::Client& engine, std::string_view type, const std::string& name, bool size) {
  if (type == "container") return engine.inspect_container(name, size);
  if (type == "image") return engine.inspect_image(name);
  if (type == "network") return engine.inspect_network(name);
  return engine.inspect_volume(name);
}

/// inspect of containers, or of whatever has the name.
class InspectCommand : public Command {
 public:
  explicit InspectCommand(std::string_view type) : type_(type), any_(type.empty()) {
    flags.string(format_, "format", 'f', kFormatUsage);
    if (any_ || type == "container")
      flags.boolean(size_, "size", 's',
                    any_ ? "Display total file sizes if the type is container" : "Display total file sizes");
    if (any_) flags.string(type_, "type", 0, "Only inspect objects of the given type");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    if (!type_.empty() && std::find(std::begin(kTypes), std::end(kTypes), type_) == std::end(kTypes))
      return fail(
          Kind::InvalidArgument,
          "unknown type: {}: must be one of \"config\", \"container\", \"image\", \"network\", \"node\", "
          "\"plugin\", \"secret\", \"service\", \"task\", \"volume\"",
          quote(type_));
    if (size_ && any_ && !type_.empty() && type_ != "container")
      cli.err.print("WARNING: --size ignored for {}\n", type_);
    return inspect_objects(cli, arguments, format_,
                           [&](client::Client& engine, const std::string& name) -> Result<json::Value> {
                             if (!type_.empty()) return fetch(engine, type_, name, size_);
                             for (const auto type : kTypes) {
                               auto found = fetch(engine, type, name, size_);
                               if (found.ok() || found.error().kind() != Kind::NotFound) return found;
                             }
                             return fail(Kind::NotFound, "Error: No such object: {}", name);
                           });
  }

 private:
  std::string type_;
  bool any_;
  std::string format_;
  bool size_ = false;
};

}  // namespace

std::unique_ptr<Command> make_inspect() { return std::make_unique<InspectCommand>(""); }
std::unique_ptr<Command> make_container_inspect() { return std::make_unique<InspectCommand>("container"); }

}  // namespace skiff::cli
