#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

/// The syntax tree of a template.
namespace skiff::cli::templates {

struct Pipeline;

/// A word of a command: ".A.B", "$x.A", "(pipe).A", "fn", "\"text\"", 42, nil.
struct Operand {
  enum class Kind : std::uint8_t { Dot, Field, Variable, Parenthesis, Function, Literal, Nil };
  Kind kind = Kind::Dot;
  std::string name;                 ///< of the variable (with $) or function
  std::vector<std::string> fields;  ///< the chain behind it
  json::Value literal;
  std::shared_ptr<Pipeline> pipeline;
  std::size_t position = 0;  ///< of its last part, for messages
  std::string text;          ///< as written
};

using Command = std::vector<Operand>;

struct Pipeline {
  std::vector<std::string> variables;  ///< "$x := ..." or "$i, $e := range"
  bool assigns = false;                ///< "=" rather than ":="
  std::vector<Command> commands;
};

struct Node {
  enum class Kind : std::uint8_t { List, Text, Action, If, With, Range, Break, Continue };
  Kind kind = Kind::List;
  std::string text;
  Pipeline pipeline;
  std::vector<Node> body;
  std::vector<Node> otherwise;
};

}  // namespace skiff::cli::templates
