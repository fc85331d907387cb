#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skiff::build {

/// The text between `<<NAME` and the line NAME.
struct Heredoc {
  std::string name;
  std::string content;
  bool expand = true;  ///< false when the name was quoted: variables stay as they are
};

/// One instruction's text: continuation lines joined, comments taken out.
struct Line {
  std::string text;
  int first = 0;  ///< line numbers, from 1
  int last = 0;
  std::vector<Heredoc> heredocs;
};

struct Scan {
  std::vector<Line> lines;
  char escape = '\\';
  std::vector<std::string> warnings;  ///< as the classic builder prints them, without newline
};

/// Cuts a Dockerfile into instructions: parser directives (`# escape=`), comments (also between continued
/// lines), line continuation, heredocs of RUN, COPY and ADD.
/// https://docs.docker.com/reference/dockerfile/#format
Result<Scan> scan(std::string_view text);

}  // namespace skiff::build
