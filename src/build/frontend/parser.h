#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "build/frontend/scanner.h"
#include "build/frontend/words.h"
#include "spec/oci_image.h"

namespace skiff::build {

enum class Keyword : std::uint8_t {
  Add,
  Arg,
  Cmd,
  Copy,
  Entrypoint,
  Env,
  Expose,
  From,
  Healthcheck,
  Label,
  Maintainer,
  Onbuild,
  Run,
  Shell,
  Stopsignal,
  User,
  Volume,
  Workdir,
};

/// In capitals, as error messages have it.
std::string_view to_string(Keyword keyword);

/// `ARG name[=value]`.
struct ArgumentDefault {
  std::string name;
  std::optional<std::string> value;
};

/// One instruction, checked for form but with nothing substituted yet.
struct Instruction {
  Keyword keyword = Keyword::Run;
  std::string text;  ///< whole, as the step is shown
  int line = 0;
  bool json = false;                         ///< exec form
  std::vector<std::string> arguments;        ///< words; for the shell form one text; FROM: image[, name]
  std::vector<NamedValue> pairs;             ///< ENV, LABEL
  std::vector<ArgumentDefault> definitions;  ///< ARG
  std::map<std::string, std::string> flags;  ///< without dashes
  std::vector<Heredoc> heredocs;
  std::optional<spec::oci::HealthConfig> health;
};

/// A Dockerfile as written.
struct Dockerfile {
  std::string name;
  char escape = '\\';
  std::vector<std::string> source;  ///< lines, for error messages
  std::vector<std::string> warnings;
  std::vector<Instruction> instructions;

  /// `message` with the file's name, the line's number and the line itself below it.
  std::string with_source(int line, std::string_view message) const;
};

/// Reads a whole Dockerfile. Errors are InvalidArgument in the classic builder's words ("dockerfile parse
/// error on line 3: unknown instruction: RUNN (did you mean RUN?)"), with the source line shown.
Result<Dockerfile> parse_dockerfile(std::string_view text, const std::string& name);

/// Reads one instruction, as ONBUILD keeps it.
Result<Instruction> parse_instruction(const Line& line, char escape);

}  // namespace skiff::build
