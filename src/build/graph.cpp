#include "build/graph.h"

#include "spec/digest.h"

namespace skiff::build {
namespace {

/// Bumped when an operation comes to mean something else, so that old results are not taken for new ones.
constexpr int kVersion = 1;

}  // namespace

void describe(json::Fields& f, SourceOperation& op) { f("image", op.image); }

void describe(json::Fields& f, ExecOperation& op) {
  f("command", op.command);
  f("environment", op.environment);
  f("user", op.user);
  f("directory", op.directory);
  f("volumes", op.volumes);
  f("network", op.network);
  f("hosts", op.extra_hosts);
}

void describe(json::Fields& f, InlineFile& file) {
  f("name", file.name);
  f("content", file.content);
}

void describe(json::Fields& f, CopyOperation& op) {
  f("add", op.add);
  f("sources", op.sources);
  f("files", op.files);
  f("destination", op.destination);
  f("owner", op.owner);
  f("mode", op.mode);
}

void describe(json::Fields& f, DirectoryOperation& op) { f("path", op.path); }

std::string vertex_key(const Operation& operation, const std::vector<std::string>& inputs,
                       const std::string& content) {
  static constexpr std::string_view kNames[] = {"source", "exec", "copy", "directory"};
  json::Object object;
  object["version"] = kVersion;
  object["type"] = kNames[operation.index()];
  object["operation"] = std::visit([](const auto& op) { return json::to_value(op); }, operation);
  json::Array keys;
  for (const std::string& key : inputs) keys.emplace_back(key);
  object["inputs"] = std::move(keys);
  if (!content.empty()) object["content"] = content;
  return std::string(spec::Digest::of(json::to_text(object)).hex());
}

std::string step_key(const std::string& previous, const Step& step, const std::string& vertex_key) {
  json::Object object;
  object["version"] = kVersion;
  object["previous"] = previous;
  object["created_by"] = step.created_by;
  object["author"] = step.author;
  object["vertex"] = vertex_key;
  return std::string(spec::Digest::of(json::to_text(object)).hex());
}

}  // namespace skiff::build
