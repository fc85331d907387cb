#include "cli/template/template.h"

#include <algorithm>

#include "base/strings.h"
#include "cli/template/functions.h"
#include "cli/template/parser.h"

namespace skiff::cli {

using templates::Item;
using templates::Node;
using templates::Operand;
using templates::Pipeline;

Template::Template() = default;
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;
Template::~Template() = default;

Result<Template> Template::parse(std::string_view text) {
  Template made;
  made.root_ = std::make_unique<Node>(TRY(templates::parse(text)));
  return made;
}

namespace {

/// Fields that Go's structs always have but JSON leaves out when empty; asking for one is no error.
const json::Value* omitted_field(std::string_view name) {
  static const json::Value kNull;
  static const json::Value kText("");
  static const json::Value kZero(0);
  for (const std::string_view field :
       {"Health",      "Healthcheck",  "SizeRw",  "SizeRootFs", "ExposedPorts", "Labels",
        "OnBuild",     "StopTimeout",  "Shell",   "Mounts",     "Tmpfs",        "Sysctls",
        "StorageOpt",  "Annotations",  "Init",    "Volumes",    "VolumesFrom",  "Links",
        "Binds",       "PortBindings", "Ports",   "Networks",   "ExecIDs",      "RepoTags",
        "RepoDigests", "Options",      "Status",  "UsageData",  "Descriptor",   "ImageManifestDescriptor",
        "Manifests",   "GraphDriver",  "Identity"})
    if (name == field) return &kNull;
  for (const std::string_view field :
       {"MacAddress", "Domainname", "StopSignal", "Runtime", "Isolation", "Name", "Driver", "Parent",
        "Comment", "Author", "Variant", "OsVersion", "CreatedAt"})
    if (name == field) return &kText;
  for (const std::string_view field : {"Restarting", "OOMKilled", "Paused", "Dead"})
    if (name == field) return &kZero;
  return nullptr;
}

/// Members whose value is a map in Go, where an unknown key is no error.
bool is_map_member(std::string_view name) {
  for (const std::string_view member :
       {"Labels", "Options", "Networks", "Ports", "Volumes", "ExposedPorts", "PortBindings", "Sysctls",
        "Tmpfs", "StorageOpt", "Annotations", "DriverOpts", "Config", "Data", "Containers", "Details",
        "Runtimes", "AuxiliaryAddresses", "Attributes"})
    if (name == member) return member != "Config";
  return false;
}

std::string escape_html(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '<' || c == '>' || c == '&')
      out += c == '<' ? "\\u003c" : c == '>' ? "\\u003e" : "\\u0026";
    else
      out += c;
  }
  return out;
}

enum class Flow { Normal, Break, Continue };

class Execution {
 public:
  Execution(const json::Value& data, const TemplateOptions& options, std::string& out)
      : root_(Item::borrow(data)), options_(options), out_(out) {
    variables_.emplace_back("$", root_);
  }

  Result<Flow> list(const std::vector<Node>& nodes, const Item& dot) {
    for (const Node& node : nodes) {
      const Flow flow = TRY(this->node(node, dot));
      if (flow != Flow::Normal) return flow;
    }
    return Flow::Normal;
  }

 private:
  Result<Flow> node(const Node& node, const Item& dot) {
    switch (node.kind) {
      case Node::Kind::Text:
        out_ += node.text;
        return Flow::Normal;
      case Node::Kind::Break:
        return Flow::Break;
      case Node::Kind::Continue:
        return Flow::Continue;
      case Node::Kind::List:
        return list(node.body, dot);
      case Node::Kind::Action: {
        const Item item = TRY(pipeline(node.pipeline, dot));
        if (!node.pipeline.variables.empty()) return Flow::Normal;
        if (!item.missing() && item.value().is_string())
          out_ += std::string_view(item.value().get_string());
        else
          out_ += templates::to_plain_text(item);
        return Flow::Normal;
      }
      case Node::Kind::If:
      case Node::Kind::With: {
        const std::size_t known = variables_.size();
        const Item item = TRY(pipeline(node.pipeline, dot));
        const bool yes = templates::is_true(item);
        const Item& inner = node.kind == Node::Kind::With && yes ? item : dot;
        const Flow flow = TRY(list(yes ? node.body : node.otherwise, inner));
        variables_.resize(known);
        return flow;
      }
      case Node::Kind::Range:
        return range(node, dot);
    }
    return Flow::Normal;
  }

  Result<Flow> range(const Node& node, const Item& dot) {
    const std::size_t known = variables_.size();
    Pipeline plain = node.pipeline;
    plain.variables.clear();
    const Item over = TRY(pipeline(plain, dot));
    std::vector<std::pair<json::Value, Item>> turns;
    const json::Value& value = over.value();
    if (value.is_array()) {
      for (std::size_t i = 0; i < value.get_array().size(); ++i)
        turns.emplace_back(static_cast<std::int64_t>(i), over.inside(value.get_array()[i]));
    } else if (value.is_object()) {
      for (const auto& [key, element] : value.get_object())
        turns.emplace_back(json::Value(key), over.inside(element));
      std::sort(turns.begin(), turns.end(),
                [](const auto& a, const auto& b) { return a.first.get_string() < b.first.get_string(); });
    } else if (!value.is_null()) {
      return fail(Kind::InvalidArgument, "template: :1: range can't iterate over {}",
                  templates::to_plain_text(value));
    }
    for (auto& [key, element] : turns) {
      const auto& names = node.pipeline.variables;
      if (names.size() == 1) variables_.emplace_back(names[0], element);
      if (names.size() == 2) {
        variables_.emplace_back(names[0], Item::make(key));
        variables_.emplace_back(names[1], element);
      }
      const Flow flow = TRY(list(node.body, element));
      variables_.resize(known);
      if (flow == Flow::Break) break;
    }
    if (turns.empty()) return list(node.otherwise, dot);
    return Flow::Normal;
  }

  Result<Item> pipeline(const Pipeline& pipe, const Item& dot) {
    std::optional<Item> value;
    for (const auto& command : pipe.commands) value = TRY(this->command(command, dot, value));
    for (const auto& name : pipe.variables) {
      if (!pipe.assigns) {
        variables_.emplace_back(name, *value);
        continue;
      }
      const auto found = std::find_if(variables_.rbegin(), variables_.rend(),
                                      [&](const auto& variable) { return variable.first == name; });
      if (found != variables_.rend()) found->second = *value;
    }
    return *value;
  }

  Result<Item> command(const templates::Command& words, const Item& dot, const std::optional<Item>& piped) {
    const Operand& first = words[0];
    if (first.kind == Operand::Kind::Function) return function(words, dot, piped);
    const bool has_arguments = words.size() > 1 || piped;
    if (first.kind == Operand::Kind::Field && first.fields.size() == 1 && options_.method &&
        dot.value().is_object() && &dot.value() == &root_.value() && has_arguments) {
      std::vector<json::Value> arguments;
      for (std::size_t i = 1; i < words.size(); ++i) arguments.push_back(TRY(operand(words[i], dot)).value());
      if (piped) arguments.push_back(piped->value());
      if (auto made = options_.method(first.fields[0], arguments)) return Item::make(TRY(std::move(*made)));
    }
    if (has_arguments) {
      if (piped && words.size() == 1 && first.kind != Operand::Kind::Field)
        return located(first, fmt::format("can't give argument to non-function {}", first.text));
      return located(first, fmt::format("{} has arguments but cannot be invoked as function",
                                        first.fields.empty() ? first.text : first.fields.back()));
    }
    return operand(first, dot);
  }

  Result<Item> function(const templates::Command& words, const Item& dot, const std::optional<Item>& piped) {
    const Operand& first = words[0];
    const bool is_and = first.name == "and";
    if (is_and || first.name == "or") {
      Item item;
      for (std::size_t i = 1; i < words.size(); ++i) {
        item = TRY(operand(words[i], dot));
        if (templates::is_true(item) != is_and) return item;
      }
      return piped ? *piped : item;
    }
    std::vector<Item> arguments;
    for (std::size_t i = 1; i < words.size(); ++i) arguments.push_back(TRY(operand(words[i], dot)));
    if (piped) arguments.push_back(*piped);
    auto called = templates::call_function(first.name, arguments, options_.header);
    if (called.ok() && options_.escape_html && first.name == "json" && arguments.size() == 1 &&
        &arguments[0].value() == &root_.value())
      return Item::make(json::Value(escape_html(templates::to_plain_text(*called))));
    if (!called.ok()) {
      // Go names the argument that has the wrong type, and the function for everything else.
      const bool type = called.error().message().starts_with("wrong type");
      return located(type && words.size() > 1 ? words[1] : first, called.error().message());
    }
    return called;
  }

  Result<Item> operand(const Operand& word, const Item& dot) {
    switch (word.kind) {
      case Operand::Kind::Dot:
        return dot;
      case Operand::Kind::Literal:
        return Item::borrow(word.literal);
      case Operand::Kind::Nil:
        return Item::make(nullptr);
      case Operand::Kind::Field:
        return fields(word, dot);
      case Operand::Kind::Function:
        return function({word}, dot, std::nullopt);
      case Operand::Kind::Parenthesis:
        return fields(word, TRY(pipeline(*word.pipeline, dot)));
      case Operand::Kind::Variable: {
        const auto found = std::find_if(variables_.rbegin(), variables_.rend(),
                                        [&](const auto& variable) { return variable.first == word.name; });
        return fields(word, found == variables_.rend() ? Item() : found->second);
      }
    }
    return Item();
  }

  Result<Item> fields(const Operand& word, Item from) {
    bool in_map = false;
    for (std::size_t i = 0; i < word.fields.size(); ++i) {
      const auto& name = word.fields[i];
      if (from.missing()) return from;
      if (from.value().is_null())
        return located(word, fmt::format("nil pointer evaluating interface {{}}.{}", name));
      if (!from.value().is_object())
        return located(word, fmt::format("can't evaluate field {} in type interface {{}}", name));
      const json::Value* found = find_field(from.value().get_object(), name);
      if (!found && in_map) return Item();
      if (!found && (options_.root_type.empty() || &from.value() != &root_.value()))
        found = omitted_field(name);
      if (!found) {
        if (options_.root_type.empty())
          return located(word, fmt::format("map has no entry for key {}", quote(name)));
        return located(word, fmt::format("can't evaluate field {} in type {}", name, options_.root_type));
      }
      in_map = i + 1 < word.fields.size() && is_map_member(name);
      from = from.inside(*found);
    }
    return from;
  }

  /// Go's field names differ from JSON's in case only (ID and Id).
  static const json::Value* find_field(const json::Object& object, std::string_view name) {
    if (const json::Value* found = object.if_contains(name)) return found;
    for (const auto& [key, value] : object)
      if (equals_ignore_case(std::string_view(key.data(), key.size()), name)) return &value;
    return nullptr;
  }

  static Error located(const Operand& word, std::string_view what) {
    return fail(Kind::InvalidArgument, "template: :1:{}: executing \"\" at <{}>: {}", word.position,
                word.text, what);
  }

  Item root_;
  const TemplateOptions& options_;
  std::string& out_;
  std::vector<std::pair<std::string, Item>> variables_;
};

}  // namespace

Result<void> Template::execute(const json::Value& data, const TemplateOptions& options,
                               std::string& out) const {
  Execution execution(data, options, out);
  (void)TRY(execution.list(root_->body, Item::borrow(data)));
  return {};
}

}  // namespace skiff::cli
